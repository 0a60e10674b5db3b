// What this machine, or container, has to have. Each check takes what was read as text or numbers
// and judges it; read_machine() reads. No check changes anything.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/doctor/finding.h"

namespace ringpost::doctor {

// What of the settings the checks need.
struct Wanted {
  unsigned shards = 1;
  bool pinned = true;
  uint32_t db_max_conns = 10;
  size_t max_connections = 0;  // of a shard; 0: as many as descriptors allow
};

// "6.18.44-generic", of /proc/sys/kernel/osrelease.
Finding check_kernel(std::string_view release);
// One that the reactor is built on; `why`: empty, or why it can't be had (ops/diagnosis.h).
Finding check_ring_feature(std::string_view name, std::string_view why);
// /proc/self/status. REQUIRES: io_uring was found to work.
Finding check_seccomp(std::string_view status);
// As many rings as there are shards: `made` of them could be had at once within `limit_bytes`
// (RLIMIT_MEMLOCK; nothing: unlimited).
Finding check_locked_memory(std::optional<uint64_t> limit_bytes, unsigned made, unsigned shards);
// `ulimit -n`, the hard limit, up to which the server raises it.
Finding check_descriptors(uint64_t limit, const Wanted& wanted);
// CPUs of the affinity mask, and the cgroup's quota of them.
Finding check_cpus(size_t cpus, std::optional<double> quota, unsigned shards);
// The texts of cpufreq/scaling_governor, of each CPU.
Finding check_governor(const std::vector<std::string>& governors);
// /proc/sys/kernel/sched_autogroup_enabled; empty where there is none.
Finding check_autogroup(std::string_view enabled, bool pinned, bool postgresql_is_here);
// /proc/sys/net/core/somaxconn: what a queue of waiting connections may hold.
Finding check_backlog(std::string_view somaxconn);

// What of these could be read; `root` stands for "/".
struct Machine {
  std::string release, status, autogroup, somaxconn;
  std::vector<std::string> governors;
};
Machine read_machine(const std::filesystem::path& root = "/");

// All of them, on this machine.
Findings examine_machine(const Wanted& wanted, bool postgresql_is_here);

}  // namespace ringpost::doctor
