#include "src/ops/memory.h"

#include <algorithm>
#include <fstream>
#include <string>

#include "src/ops/cgroup.h"

namespace ringpost::ops {

namespace {

namespace fs = std::filesystem;

// No machine has as much. Version 1 says "no limit" as the last page below 2^63: by the size of a
// page 0x7ffffffffffff000 or somewhat less (PAGE_COUNTER_MAX in linux/page_counter.h).
constexpr uint64_t unlimited = uint64_t{1} << 62;

std::optional<uint64_t> limit_of(const Cgroup& group) {
  std::string text;
  std::ifstream(group.folder / (group.version == 2 ? "memory.max" : "memory.limit_in_bytes")) >>
      text;
  const auto bytes = limit_number(text);
  return bytes && *bytes < unlimited ? bytes : std::nullopt;
}

// "MemTotal:       24684092 kB", where a kB is 1024 bytes (proc_meminfo(5)).
std::optional<uint64_t> total_of_machine(const fs::path& root) {
  std::ifstream file(root / "proc/meminfo");
  for (std::string name, text, rest; file >> name >> text && std::getline(file, rest);) {
    if (name != "MemTotal:") continue;
    const auto kib = limit_number(text);
    return kib && *kib < unlimited / 1024 ? std::optional(*kib * 1024) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::optional<uint64_t> memory_limit(const fs::path& root) {
  std::optional<uint64_t> tightest;
  for (const Cgroup& group : cgroups("memory", root))
    if (const auto limit = limit_of(group)) tightest = std::min(tightest.value_or(*limit), *limit);
  return tightest;
}

uint64_t available_memory(const fs::path& root) {
  const auto limit = memory_limit(root), total = total_of_machine(root);
  if (limit && total) return std::min(*limit, *total);
  return limit.value_or(total.value_or(0));
}

}  // namespace ringpost::ops
