// How much memory this process may use: the limits of its cgroups (versions 1 and 2) and what the
// machine has. `root` stands for "/" (tests hand in a tree of their own).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace ringpost::ops {

// The tightest memory limit among the cgroups that this process is in, in bytes; no value when none
// is set. Files: memory.max (cgroup v2), memory.limit_in_bytes (v1).
std::optional<uint64_t> memory_limit(const std::filesystem::path& root = "/");

// That limit, or all memory of the machine (MemTotal of /proc/meminfo) where that is less, in
// bytes; 0 when the kernel tells of neither.
uint64_t available_memory(const std::filesystem::path& root = "/");

}  // namespace ringpost::ops
