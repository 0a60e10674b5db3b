#include "src/ops/cgroup.h"

#include <charconv>
#include <fstream>
#include <string>
#include <system_error>

namespace ringpost::ops {

namespace {

namespace fs = std::filesystem;

// Whether `controller` is one of `names`, which commas separate.
bool lists(std::string_view names, std::string_view controller) {
  while (!names.empty()) {
    const size_t comma = names.find(',');
    if (names.substr(0, comma) == controller) return true;
    names.remove_prefix(comma == std::string_view::npos ? names.size() : comma + 1);
  }
  return false;
}

// Where version 1 has `controller`: "cpu", "cpu,cpuacct" and "cpuacct,cpu" are all found mounted.
std::vector<fs::path> mounts_v1(const fs::path& mount, std::string_view controller) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator entry(mount, error), end; !error && entry != end;
       entry.increment(error))
    if (lists(entry->path().filename().string(), controller)) found.push_back(entry->path());
  return found;
}

// The group at `path` below `mount` and all above it. In a container the path is often the host's
// and does not exist below the mount, which then is the group itself.
void add_upwards(std::vector<Cgroup>& groups, int version, const fs::path& mount,
                 const fs::path& path) {
  for (fs::path group = path.relative_path();; group = group.parent_path()) {
    groups.push_back({mount / group, version});
    if (group.empty()) return;
  }
}

}  // namespace

std::vector<Cgroup> cgroups(std::string_view controller, const fs::path& root) {
  std::vector<Cgroup> groups;
  const fs::path mount = root / "sys/fs/cgroup";
  // A line is "id:controllers:path"; that of version 2 has id 0 and no controllers.
  std::ifstream lines(root / "proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1),
                      path = line.substr(second + 1);
    if (controllers.empty()) {
      add_upwards(groups, 2, mount, path);
    } else if (lists(controllers, controller)) {
      for (const fs::path& own : mounts_v1(mount, controller)) add_upwards(groups, 1, own, path);
    }
  }
  return groups;
}

std::optional<uint64_t> limit_number(std::string_view text) {
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || value == 0) return std::nullopt;
  return value;
}

}  // namespace ringpost::ops
