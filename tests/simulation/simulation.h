// Simulation: one life of a shard, from its start to after its drain, in a world that one seed
// makes: its limits, its clients, its PostgreSQL, and what goes wrong.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "tests/simulation/world.h"

namespace ringpost::simulation {

// A seed, and what of it is left out: for finding the least that still fails.
struct Plan {
  uint64_t seed = 1;
  std::set<size_t> clients;    // those that stay, by number; empty: all
  size_t requests = SIZE_MAX;  // of each, at most
  std::string faults = "all";  // those that stay, separated by commas
  // 1: what happened last, when an invariant is violated; 2: all that happens, as it does.
  int verbose = 0;
};

struct Outcome {
  Counts counts;
  uint64_t trace_hash = 0;
  double virtual_seconds = 0;
  std::string faults;        // that the seed enables
  std::set<size_t> clients;  // that came
  size_t most_requests = 0;  // of one of them
};

// Ends the process when an invariant is violated.
Outcome simulate(const Plan& plan);

}  // namespace ringpost::simulation
