#include "tests/simulation/faults.h"

#include <algorithm>

namespace ringpost::simulation {

namespace {

constexpr std::array<std::string_view, fault_count> fault_names{
    "late_completions",
    "shuffled_completions",
    "short_receives",
    "ended_multishots",
    "partial_sends",
    "interrupted_submits",
    "small_queues",
    "few_buffers",
    "raced_cancels",
    "accept_errors",
    "small_socket_buffers",
    "stops",
    "clock_jumps",
    "resets",
    "slow_readers",
    "stalls",
    "drips",
    "half_closes",
    "bad_requests",
    "few_connections",
    "little_memory",
    "pg_slow",
    "pg_split",
    "pg_errors",
    "pg_restarts",
    "pg_freezes",
    "pg_changes",
    "pg_notices",
    "pg_garbage",
    "pg_bad_values",
    "pg_connects",
    "pg_pooled",
    "early_orders",
};

}  // namespace

std::string_view name_of(Fault fault) {
  return fault_names[static_cast<size_t>(fault)];
}

Faults::Faults(Random& random) {
  // One seed in sixteen is calm: there, nothing excuses an answer that is not the best one.
  const bool calm = random.chance(62'500);
  const uint32_t share = static_cast<uint32_t>(random.between(100'000, 600'000));
  for (uint32_t& rate : rates_) {
    const bool enabled = random.chance(share);
    const auto drawn = static_cast<uint32_t>(random.between(1'000, 1'000 << random.below(9)));
    rate = enabled && !calm ? drawn : 0;
  }
}

bool Faults::keep_only(std::string_view names) {
  std::array<bool, fault_count> kept{};
  while (!names.empty()) {
    const size_t comma = std::min(names.find(','), names.size());
    const std::string_view name = names.substr(0, comma);
    names.remove_prefix(std::min(comma + 1, names.size()));
    if (name == "none") continue;
    const auto* found = std::find(fault_names.begin(), fault_names.end(), name);
    if (found == fault_names.end()) return false;
    kept[static_cast<size_t>(found - fault_names.begin())] = true;
  }
  for (size_t i = 0; i < fault_count; ++i)
    if (!kept[i]) rates_[i] = 0;
  return true;
}

std::string Faults::names() const {
  std::string names;
  for (size_t i = 0; i < fault_count; ++i) {
    if (rates_[i] == 0) continue;
    if (!names.empty()) names += ',';
    names += fault_names[i];
  }
  return names.empty() ? "none" : names;
}

}  // namespace ringpost::simulation
