// Load: how long the queries in flight on one connection may yet take, by what their statements
// have taken so far.
//
// Short queries are best packed onto few connections, which saves wake-ups on both sides; behind a
// long one they would wait for nothing. So a query is charged what its statement takes, on a
// running average over all connections of the pool, and the pool packs by what is charged. It is a
// low average: what it takes when PostgreSQL has a CPU for it.
// PostgreSQL answers a connection's queries one after the other: what came in one turn has taken
// the time since the answers before it, each its part by what it was expected to take. So a page
// that comes with nine lookups does not make lookups dear.
//
// What a query was charged stands in its entry of the pipeline (Pipeline::Note).
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "proto/pg/pipeline.h"
#include "src/io/clock.h"

namespace ringpost::pg {

// Of each statement, by its index: the average time of an execution.
using StatementCosts = std::vector<std::chrono::duration<float, std::micro>>;

class Load {
 public:
  using Microseconds = StatementCosts::value_type;

  // `costs` outlives the load.
  explicit Load(StatementCosts& costs) : costs_(costs), answered_(costs.size()) {}

  // Of the queries in flight.
  Microseconds total() const { return total_; }
  // What an execution of this statement is expected to take.
  Microseconds cost(size_t statement) const { return costs_[statement]; }

  // A session begins: the query that is answered next has this number.
  void begin(uint64_t number, io::Time now);
  // A query of this statement is sent: what is to be noted of it in the pipeline.
  proto::pg::Pipeline::Note sent(size_t statement, io::Time now);
  // All queries of `pipeline` that came before its next_number() are answered.
  void answered(const proto::pg::Pipeline& pipeline, io::Time now);

 private:
  void learn(size_t statement, float times);

  StatementCosts& costs_;
  std::vector<uint32_t> answered_;  // of each statement, in this turn; 0 between turns
  uint64_t next_ = 0;
  Microseconds total_{};
  // Since when the server works on what is next: the answers before it, or its sending.
  io::Time since_;
};

}  // namespace ringpost::pg
