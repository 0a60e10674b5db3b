#include "src/ops/cpus.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include <sched.h>

namespace ringpost::ops {

namespace {

namespace fs = std::filesystem;

void tighten(std::optional<double>& quota, double other) {
  quota = quota ? std::min(*quota, other) : other;
}

// Microseconds in decimal digits, more than 0. Anything else is no quota: what a kernel of another
// day writes there is no reason not to start.
std::optional<double> microseconds(std::string_view text) {
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || value == 0) return std::nullopt;
  return static_cast<double>(value);
}

// "max 100000" or "50000 100000": quota and period.
void read_v2(const fs::path& group, std::optional<double>& quota) {
  std::ifstream file(group / "cpu.max");
  std::string most, period;
  file >> most >> period;
  const auto numerator = microseconds(most), denominator = microseconds(period);
  if (numerator && denominator) tighten(quota, *numerator / *denominator);
}

// The same in two files; -1 is no quota.
void read_v1(const fs::path& group, std::optional<double>& quota) {
  std::ifstream quota_file(group / "cpu.cfs_quota_us"), period_file(group / "cpu.cfs_period_us");
  std::string most, period;
  quota_file >> most;
  period_file >> period;
  const auto numerator = microseconds(most), denominator = microseconds(period);
  if (numerator && denominator) tighten(quota, *numerator / *denominator);
}

// The group at `path` below `mount` and all above it: each may set a quota. In a container the path
// is often the host's and does not exist below the mount, which then is the group itself.
template <class Read>
void read_upwards(const fs::path& mount, std::string path, Read read,
                  std::optional<double>& quota) {
  for (;;) {
    read(mount / fs::path(path).relative_path(), quota);
    if (path.empty() || path == "/") return;
    path = fs::path(path).parent_path().string();
  }
}

bool lists_cpu(std::string_view controllers) {
  while (!controllers.empty()) {
    const size_t comma = controllers.find(',');
    if (controllers.substr(0, comma) == "cpu") return true;
    controllers.remove_prefix(comma == std::string_view::npos ? controllers.size() : comma + 1);
  }
  return false;
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
  std::optional<double> quota;
  const fs::path mount = root / "sys/fs/cgroup";
  // A line is "id:controllers:path"; that of version 2 has id 0 and no controllers.
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1),
                      path = line.substr(second + 1);
    if (controllers.empty()) {
      read_upwards(mount, path, read_v2, quota);
    } else if (lists_cpu(controllers)) {
      for (const char* folder : {"cpu", "cpu,cpuacct", "cpuacct,cpu"})
        if (fs::exists(mount / folder)) read_upwards(mount / folder, path, read_v1, quota);
    }
  }
  return quota;
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
