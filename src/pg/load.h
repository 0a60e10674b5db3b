// Load: how long the queries in flight on one connection may yet take, by what their statements
// have taken so far.
//
// Short queries are best packed onto few connections, which saves wake-ups on both sides; behind a
// long one they would wait for nothing. So a query is charged what its statement takes, on a
// running average over all connections of the pool, and the pool packs by what is charged.
// PostgreSQL answers a connection's queries one after the other: what came in one turn has taken
// the time since the answers before it, each an equal part.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "src/io/clock.h"

namespace ringpost::pg {

// Of each statement, by its index: the average time of an execution.
using StatementCosts = std::vector<std::chrono::duration<float, std::micro>>;

class Load {
 public:
  using Microseconds = StatementCosts::value_type;

  // `depth`: most queries in flight, a power of two. `costs` outlives the load.
  Load(uint32_t depth, StatementCosts& costs)
      : charges_(size_t{2} * depth), mask_(2 * uint64_t{depth} - 1), costs_(costs) {}

  // Of the queries in flight.
  Microseconds total() const { return total_; }

  // A session begins: the query that is answered next has this number.
  void begin(uint64_t number, io::Time now);
  // Query `number` of this statement was sent.
  void sent(uint64_t number, size_t statement, io::Time now);
  // All queries before `number` are answered.
  void answered(uint64_t number, io::Time now);

 private:
  struct Charge {
    io::Time sent;
    Microseconds charged{};
    size_t statement = 0;
  };

  // Twice the depth: an owner may send its next query from inside its answer, which is settled only
  // when all that came with it has been handed out.
  std::vector<Charge> charges_;
  uint64_t mask_, next_ = 0;
  StatementCosts& costs_;
  Microseconds total_{};
  io::Time last_answer_;
};

}  // namespace ringpost::pg
