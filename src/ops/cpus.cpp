#include "src/ops/cpus.h"

#include <algorithm>
#include <fstream>
#include <string>

#include <sched.h>

#include "src/ops/cgroup.h"

namespace ringpost::ops {

namespace {

namespace fs = std::filesystem;

// Quota and period, in microseconds. Version 2 has both in one file, "50000 100000" or
// "max 100000"; version 1 has a file for each, where -1 is no quota.
std::optional<double> quota_of(const Cgroup& group) {
  std::string most, period;
  if (group.version == 2) {
    std::ifstream(group.folder / "cpu.max") >> most >> period;
  } else {
    std::ifstream(group.folder / "cpu.cfs_quota_us") >> most;
    std::ifstream(group.folder / "cpu.cfs_period_us") >> period;
  }
  const auto numerator = limit_number(most), denominator = limit_number(period);
  if (!numerator || !denominator) return std::nullopt;
  return static_cast<double>(*numerator) / static_cast<double>(*denominator);
}

}  // namespace

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  if (cpus.empty()) cpus.push_back(0);
  return cpus;
}

std::optional<double> cpu_quota(const fs::path& root) {
  std::optional<double> tightest;
  for (const Cgroup& group : cgroups("cpu", root))
    if (const auto quota = quota_of(group)) tightest = std::min(tightest.value_or(*quota), *quota);
  return tightest;
}

unsigned default_shards(size_t cpus, std::optional<double> quota) {
  auto shards = static_cast<unsigned>(cpus);
  if (quota) shards = std::min(shards, static_cast<unsigned>(*quota));
  return std::max(shards, 1U);
}

std::vector<int> cpus_of_shard(const std::vector<int>& cpus, size_t index, size_t count) {
  if (count >= cpus.size()) return {cpus[index % cpus.size()]};
  std::vector<int> share;
  for (size_t i = index; i < cpus.size(); i += count) share.push_back(cpus[i]);
  return share;
}

}  // namespace ringpost::ops
