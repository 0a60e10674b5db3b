// What part of the machine this process may use: its affinity, and the CPU quota of its cgroup
// (versions 1 and 2).
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

namespace ringpost::ops {

// The CPUs of the calling thread's affinity mask, in ascending order.
std::vector<int> allowed_cpus();

// The tightest CPU quota among the cgroups that this process is in, in CPUs (1.5: one and a half);
// no value when none is set. `root` stands for "/" (tests hand in a tree of their own). Files:
// cpu.max (cgroup v2), cpu.cfs_quota_us and cpu.cfs_period_us (v1).
std::optional<double> cpu_quota(const std::filesystem::path& root = "/");

// How many shards keep `cpus` CPUs busy within `quota` without being throttled: at least one.
unsigned default_shards(size_t cpus, std::optional<double> quota);

// The share of `cpus` that shard `index` of `count` is pinned to: one CPU when there are as many
// shards or more; with fewer, several, so that a shard can leave a CPU that others are busy on.
std::vector<int> cpus_of_shard(const std::vector<int>& cpus, size_t index, size_t count);

}  // namespace ringpost::ops
