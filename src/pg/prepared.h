// Prepared: which of a pool's statements one session has, each by its index in the pool.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "proto/pg/pipeline.h"
#include "proto/pg/statement.h"
#include "proto/wire/buffer.h"

namespace ringpost::pg {

class Prepared {
 public:
  explicit Prepared(size_t statements) : has_(statements) {}

  bool has(size_t index) const { return has_[index]; }
  void forget(size_t index) { has_[index] = false; }
  // A session begins: it has none.
  void clear() { has_.assign(has_.size(), false); }

  // Appends what prepares `statement`: Close, Parse, Describe.
  static void encode(proto::wire::Buffer& out, const proto::pg::StatementDescription& statement);
  // The answer to that: why `statement` can't be used as it is declared; no value when it can.
  std::optional<std::string> take(size_t index, const proto::pg::StatementDescription& statement,
                                  const proto::pg::Pipeline::Answer& answer);

 private:
  std::vector<bool> has_;
};

}  // namespace ringpost::pg
