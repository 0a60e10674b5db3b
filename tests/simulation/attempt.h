// Attempts: simulations in child processes, so that whatever ends one (a violated invariant, a
// sanitizer, an endless loop) ends nothing else, and can be tried again with less.
#pragma once

#include <map>
#include <set>
#include <string>

#include "tests/simulation/simulation.h"

namespace ringpost::simulation {

struct Totals {
  uint64_t seeds = 0;
  Counts counts;
  double virtual_seconds = 0;
};

struct Failure {
  Plan plan;
  std::string what;    // the invariant, or what the sanitizer sums up
  std::string output;  // all that the process said
  // What the plan consisted of, as far as it is known.
  std::set<size_t> clients;
  size_t most_requests = 0;
  std::string faults;
};

// Runs `plan` alone. False, with `failure` filled in, when it fails.
bool attempt(const Plan& plan, Failure& failure);

// Runs the seeds from `plan.seed`, `count` of them or for `seconds`, in `processes` at a time.
// False, with `failure` filled in, when one fails: the others are then ended.
bool attempt_seeds(const Plan& plan, uint64_t count, double seconds, unsigned processes,
                   Totals& totals, Failure& failure);

// Runs the seeds from `plan.seed` for `seconds`, each in a process of its own, and goes on after
// those that fail. Of each way to fail the first, the number of seeds, and when it was found.
struct Finding {
  Failure first;
  uint64_t seeds = 0;
  double found_after_s = 0;
};
std::map<std::string, Finding> survey(const Plan& plan, double seconds, uint64_t& seeds);

// What failed without its numbers, so that the same fault is known again.
std::string kind_of(std::string what);

// The least that still fails in the same way, as far as it is found within `seconds`.
Failure shrink(Failure failure, double seconds);

// What to type to see it again.
std::string replay_line(const Plan& plan);

// Numbers separated by commas, and ranges: 3,17-20.
std::string text_of(const std::set<size_t>& numbers);
bool parse_numbers(const std::string& text, std::set<size_t>& numbers);

}  // namespace ringpost::simulation
