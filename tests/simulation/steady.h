// Steady: a shard under a load that never changes, in the simulated world: for what is counted by
// the request, its instructions (bench/instructions) and its allocations (steady_test.cpp).
//
// Clients send in rounds, each its next request as soon as all have their answers. Nothing goes
// wrong, PostgreSQL takes no time, one connection leads there, and what little is left to chance
// comes from one seed: so each run is the same. An answer that is not the right one ends the
// process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "tests/simulation/table.h"

namespace ringpost::simulation {

// A request, and the body of its answer.
struct Exchange {
  std::string request, body;
};

// GET /users/{id}, of one user after the other.
Exchange lookup(const Table& table, size_t number);
// GET /users?limit=20, the first page.
Exchange page(const Table& table, size_t number);

struct Steady {
  size_t clients = 1;
  size_t rounds_before = 100, rounds = 100;  // those before bring it to its steady state
  Exchange (*ask)(const Table&, size_t number) = lookup;
  // Called between the program's turns, before and after `rounds`.
  std::function<void()> begin{}, end{};

  // A whole life of a shard.
  void run() const;
  size_t requests() const { return clients * rounds; }
};

}  // namespace ringpost::simulation
