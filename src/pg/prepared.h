// Prepared: which of a pool's statements one session has, each by its index in the pool.
//
// StatementNames: whether statements are prepared by a name at all. A session with PostgreSQL keeps
// them to its end. Behind a pooler that lends a server's session for a transaction, the next group
// of messages may reach another one, which has not heard of the name. That shows: a statement that
// a session has is not there, and once it was prepared anew, again is not; or it is there before it
// was prepared; or, where the pooler keeps them itself (PgBouncer from 1.21 on), a new one is as
// stale as the old one. Then, for a while, each query brings the unnamed statement in its own
// group: Parse, Bind and Execute between two Syncs, which all poolers keep together. What is
// unnamed is never bound in another group: there it could be another client's.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/pg/pipeline.h"
#include "proto/pg/statement.h"
#include "proto/wire/buffer.h"
#include "src/io/clock.h"

namespace ringpost::pg {

// Of all sessions of a Connector.
class StatementNames {
 public:
  bool are_kept(io::Time now) const { return now >= unnamed_until_; }
  // They are not: for `pause`, none is used. Whether that is news.
  bool give_up(io::Time now, io::Duration pause);

 private:
  io::Time unnamed_until_ = io::Time::min();
};

class Prepared {
 public:
  using Widths = proto::pg::Widths;

  explicit Prepared(size_t statements) : has_(statements), lost_(statements) {}

  bool has(size_t index) const { return has_[index].has_value(); }
  // Of the integers in its rows, as the server described them last.
  Widths widths(size_t index) const { return has_[index].value_or(Widths::declared); }
  void forget(size_t index) { has_[index].reset(); }
  // The server says that it has none of that name; whether it has said so before, not long ago.
  bool lose(size_t index, io::Time now);
  // A session begins: it has none.
  void clear();

  // Appends what prepares `statement` under `name`: Close, Parse, Describe.
  static void encode(proto::wire::Buffer& out, const proto::pg::StatementDescription& statement,
                     std::string_view name);
  // The answer to that: else why `statement` can't be used as it is declared.
  static std::expected<Widths, std::string> check(const proto::pg::StatementDescription& statement,
                                                  const proto::pg::Pipeline::Answer& answer);
  // The same, for one that was prepared by its name, and is had from here on if it can be used.
  std::expected<Widths, std::string> note(size_t index,
                                          const proto::pg::StatementDescription& statement,
                                          const proto::pg::Pipeline::Answer& answer);

 private:
  std::vector<std::optional<Widths>> has_;
  std::vector<std::optional<io::Time>> lost_;  // when last
};

}  // namespace ringpost::pg
