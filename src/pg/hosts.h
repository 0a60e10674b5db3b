// Hosts: what a shard knows of the hosts of its connection string, from the sessions it has opened
// or could not open there, and what follows from it: in which order they are tried, which are
// looked at meanwhile, and when a session is better off elsewhere. Without I/O and without a clock.
//
//     unknown   has not been tried                            tried in its place
//     up        a session was started there: with its rank    tried in its place; behind those, if
//                                                             it is not what is asked for, or has
//                                                             been silent to a session since
//     down      could not be reached, was silent, starting    tried last; looked at again after a
//                                                             pause, which grows, with jitter
//
// While there is no session all hosts are tried anyhow, and none is looked at beside that.
//
// A rank says how good a session is by where it is: the place in the list, unless the order is
// random; with prefer-standby any standby is better than any primary. 0 is the best. Who has a
// session of a worse rank than a host that is up again, and has been for a while, moves it there.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <vector>

#include "proto/pg/conninfo.h"
#include "proto/pg/target_session.h"
#include "src/io/clock.h"

namespace ringpost::pg {

class Hosts {
 public:
  using Wanted = proto::pg::Conninfo::TargetSession;
  using Rank = size_t;
  // Of a server that is not what is asked for.
  static constexpr Rank unfit = std::numeric_limits<Rank>::max();

  struct Pauses {
    // Before a host that is down is looked at again: doubles from the first to the last, each with
    // jitter.
    std::chrono::milliseconds first{1'000}, last{30'000};
    // Before one is that is up and not what is asked for: it may have become so.
    std::chrono::milliseconds other_role{60'000};
    // How long a host has been up before sessions come back to it.
    std::chrono::milliseconds settled{10'000};
  };

  Hosts(const proto::pg::Conninfo& conninfo, const Pauses& pauses, uint32_t seed);

  size_t size() const { return hosts_.size(); }
  Wanted wanted() const { return wanted_; }

  // Whom to try, one after the other, and what each has to be. With prefer-standby the list is
  // walked for a standby first, then for any.
  struct Attempt {
    size_t host;
    Wanted wanted;
    bool operator==(const Attempt&) const = default;
  };
  std::vector<Attempt> plan();

  Rank rank(size_t host, const proto::pg::ServerState& state) const;

  // A session was started at `host`; what its server is.
  void opened(size_t host, const proto::pg::ServerState& state, io::Time now);
  void failed(size_t host, io::Time now);
  // A session there says that its server has become another: the others may have too.
  void changed(size_t host, const proto::pg::ServerState& state, io::Time now);
  // A session there has been waiting for an answer for long: it may be slow, or gone without a
  // word. It is looked at, and no other session is opened there before the next host was tried.
  void suspect(size_t host, io::Time now);
  // `host` is known to be down, and nothing was heard of it there since `heard`.
  bool is_gone(size_t host, io::Time heard) const;

  // From when on a session of `rank` is better off at a host that is known to be up.
  io::Time better_from(Rank rank) const;
  bool offers_better(Rank rank, io::Time now) const { return now >= better_from(rank); }

  // Which host is to be looked at, and when, for the sake of sessions of which the worst has
  // `rank`; none where that would change nothing. Those that are `occupied`, by their index, tell
  // of themselves by the sessions that are there.
  struct Look {
    size_t host;
    io::Time at;
    bool operator==(const Look&) const = default;
  };
  std::optional<Look> next_look(Rank rank, const std::vector<bool>& occupied = {}) const;

 private:
  enum class Condition : uint8_t { unknown, up, down };
  struct Host {
    Condition condition = Condition::unknown;
    bool suspected = false;    // when it is up
    std::optional<Rank> rank;  // as it was seen last
    io::Time up_since, down_since, next_look;
    io::Duration pause{};  // when it is down
  };

  // At most, where it is what is asked for.
  Rank best_rank(size_t host) const { return ordered_ ? host : 0; }
  bool is_primary(size_t host) const;
  std::optional<io::Time> next_look(size_t host, Rank rank, bool occupied) const;
  io::Duration jittered(io::Duration pause);

  const Wanted wanted_;
  const bool ordered_;
  const Pauses pauses_;
  std::vector<Host> hosts_;
  std::minstd_rand random_;
};

}  // namespace ringpost::pg
