// The cgroups that this process is in (versions 1 and 2), where the kernel tells their limits: in
// files whose numbers bind the process at every level, so that the tightest counts. What can't be
// read or is no number is no limit: what a kernel of another day writes there is no reason not to
// start. Source: cgroups(7), the kernel's admin-guide/cgroup-v2.rst.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

namespace ringpost::ops {

struct Cgroup {
  std::filesystem::path folder;  // may not exist
  int version;                   // 1 or 2: by it the files in `folder` are named
};

// The groups that may limit `controller` ("cpu", "memory"), each followed by those above it.
// `root` stands for "/" (tests hand in a tree of their own).
std::vector<Cgroup> cgroups(std::string_view controller, const std::filesystem::path& root = "/");

// A limit in decimal digits, more than 0; no value for anything else ("max", "-1").
std::optional<uint64_t> limit_number(std::string_view text);

}  // namespace ringpost::ops
