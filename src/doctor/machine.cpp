#include "src/doctor/machine.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <system_error>

#include <sys/resource.h>

#include "src/io/probe.h"
#include "src/io/ring.h"
#include "src/ops/cpus.h"
#include "src/ops/diagnosis.h"

namespace ringpost::doctor {

namespace {

namespace fs = std::filesystem;

// What the listener asks for (src/service).
constexpr int backlog = 4096;
// Descriptors that are neither connections' nor PostgreSQL's, and the fewest connections of a shard
// (src/service/config).
constexpr uint64_t others = 64, of_shard = 6, least_connections = 16;

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

std::string rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

}  // namespace

Finding check_kernel(std::string_view release) {
  int major = 0, minor = 0;
  const std::string text(release);
  if (std::sscanf(text.c_str(), "%d.%d", &major, &minor) != 2)
    return note("the kernel's release can't be read: '" + text + "'",
                "see that it is Linux 6.1 or newer: uname -r");
  if (major < 6 || (major == 6 && minor < 1))
    return unfit("Linux " + text + " is too old",
                 "run Linux 6.1 or newer; in a container it is the host's kernel that counts");
  return fit("Linux " + text + " (6.1 or newer is needed)");
}

Finding check_ring_feature(std::string_view name, std::string_view why) {
  if (why.empty()) return fit("io_uring: " + std::string(name));
  return unfit("io_uring: " + std::string(name) + " can't be had", std::string(why));
}

Finding check_seccomp(std::string_view status) {
  constexpr std::string_view key = "\nSeccomp:";
  const size_t at = status.find(key);
  const size_t mode =
      at == std::string_view::npos ? at : status.find_first_not_of(" \t", at + key.size());
  if (mode == std::string_view::npos) return fit("no seccomp filter");
  if (status[mode] == '2') return fit("a seccomp filter is in force, and lets io_uring through");
  return fit("no seccomp filter");
}

Finding check_locked_memory(std::optional<uint64_t> limit_bytes, unsigned made, unsigned shards) {
  const std::string limit =
      limit_bytes ? std::to_string(*limit_bytes / 1024) + " KiB" : "unlimited";
  if (made >= shards)
    return fit("locked memory (" + limit + ") is enough for the rings of " +
               std::to_string(shards) + " shards");
  return unfit("locked memory (" + limit + ") is enough for " + std::to_string(made) + " of " +
                   std::to_string(shards) + " shards' rings",
               "raise it: ulimit -l unlimited, LimitMEMLOCK=infinity of the service, --ulimit "
               "memlock=-1 of the container; or fewer SHARDS");
}

Finding check_descriptors(uint64_t limit, const Wanted& wanted) {
  const uint64_t kept_back = others + 2 * uint64_t{wanted.db_max_conns} + of_shard * wanted.shards;
  const uint64_t least =
      kept_back + std::max<uint64_t>(wanted.max_connections, least_connections) * wanted.shards;
  const std::string text = "ulimit -n is " + std::to_string(limit);
  if (limit < kept_back + least_connections * wanted.shards)
    return unfit(text + ", and SHARDS=" + std::to_string(wanted.shards) +
                     " with DB_MAX_CONNS=" + std::to_string(wanted.db_max_conns) + " need " +
                     std::to_string(kept_back + least_connections * wanted.shards),
                 "raise it: ulimit -n, LimitNOFILE= of the service, --ulimit nofile= of the "
                 "container");
  const uint64_t each = (limit - kept_back) / wanted.shards;
  if (limit < least)
    return unfit(text + ": room for " + std::to_string(each) +
                     " connections a shard, and MAX_CONNECTIONS is " +
                     std::to_string(wanted.max_connections),
                 "raise it to " + std::to_string(least) + ", or lower MAX_CONNECTIONS");
  constexpr uint64_t few = 1'000;
  if (each < few)
    return note(text + ": room for only " + std::to_string(each) + " connections a shard",
                "raise it where more clients are to be connected at a time: LimitNOFILE= of the "
                "service");
  return fit(text + ": room for " + std::to_string(each) + " connections a shard");
}

Finding check_cpus(size_t cpus, std::optional<double> quota, unsigned shards) {
  const std::string found = std::to_string(cpus) + " CPUs" +
                            (quota ? ", a quota of " + rounded(*quota) : std::string()) + ", " +
                            std::to_string(shards) + " shards";
  if (quota && static_cast<double>(shards) > std::max(*quota, 1.0))
    return unfit(found + ": the kernel will stop them for a part of each tenth of a second",
                 "let SHARDS be no more than the quota: SHARDS=" +
                     std::to_string(ops::default_shards(cpus, quota)) + ", or raise the quota");
  if (quota && *quota < 1.0)
    return note(found + ": the kernel will stop the shard when it is busy",
                "a quota of 1 or more keeps the slowest requests quick");
  if (shards > cpus)
    return note(found + ": shards share CPUs, and wait for each other",
                "let SHARDS be no more than the CPUs: SHARDS=" + std::to_string(cpus));
  return fit(found);
}

Finding check_governor(const std::vector<std::string>& governors) {
  if (governors.empty())
    return fit("the CPUs' frequency is not this system's business (a virtual machine, mostly)");
  for (const std::string& governor : governors)
    if (governor == "powersave" || governor == "conservative" || governor == "ondemand")
      return note(
          "the CPUs' frequency governor is " + governor +
              ": a request that comes alone is served by a slow CPU",
          "cpupower frequency-set -g performance, where latency counts for more than power");
  return fit("the CPUs' frequency governor is " + governors.front());
}

Finding check_autogroup(std::string_view enabled, bool pinned, bool postgresql_is_here) {
  if (!postgresql_is_here) return fit("PostgreSQL has cores of its own: it is on another machine");
  if (!pinned) return fit("PostgreSQL is on this machine too, and shards are not pinned");
  if (enabled == "1")
    return note(
        "PostgreSQL is on this machine too, shards are pinned, and the kernel groups "
        "processes by session (autogroup): a backend can wait 0.1 s and more for its core",
        "PIN_SHARDS=false, or cores of its own for PostgreSQL");
  return note("PostgreSQL is on this machine too, and shards are pinned to cores that it uses",
              "PIN_SHARDS=false, or cores of its own for PostgreSQL");
}

Finding check_backlog(std::string_view somaxconn) {
  int most = 0;
  const auto [stop, error] =
      std::from_chars(somaxconn.data(), somaxconn.data() + somaxconn.size(), most);
  if (error != std::errc() || most >= backlog)
    return fit("a listening socket's queue holds " + std::to_string(backlog) + " connections");
  return note("a listening socket's queue holds only " + std::to_string(most) + " connections",
              "sysctl -w net.core.somaxconn=4096, where many clients connect at the same moment");
}

Machine read_machine(const fs::path& root) {
  Machine machine{.release = ops::kernel_release(root),
                  .status = text_of(root / "proc/self/status"),
                  .autogroup = text_of(root / "proc/sys/kernel/sched_autogroup_enabled"),
                  .somaxconn = text_of(root / "proc/sys/net/core/somaxconn"),
                  .governors = {}};
  std::error_code error;
  for (fs::directory_iterator it(root / "sys/devices/system/cpu", error), end; !error && it != end;
       it.increment(error)) {
    std::string governor = text_of(it->path() / "cpufreq/scaling_governor");
    if (!governor.empty()) machine.governors.push_back(std::move(governor));
  }
  return machine;
}

namespace {

// As many rings as shards, at once: how many could be had.
unsigned try_rings(unsigned shards) {
  std::vector<std::unique_ptr<io::Ring>> rings;
  try {
    while (rings.size() < shards)
      rings.push_back(std::make_unique<io::Ring>(io::reactor_submissions, io::reactor_completions));
  } catch (const io::RingError&) {
    return static_cast<unsigned>(rings.size());
  }
  return shards;
}

std::optional<uint64_t> limit_of(int resource, bool hard) {
  rlimit limit{};
  getrlimit(static_cast<__rlimit_resource>(resource), &limit);
  const rlim_t value = hard ? limit.rlim_max : limit.rlim_cur;
  return value == RLIM_INFINITY ? std::nullopt : std::optional<uint64_t>(value);
}

}  // namespace

Findings examine_machine(const Wanted& wanted, bool postgresql_is_here) {
  const Machine machine = read_machine();
  Findings findings{check_kernel(machine.release)};
  bool ring = true;
  for (const io::ProbedFeature& feature : io::probe_features()) {
    findings.push_back(check_ring_feature(
        feature.name, feature.error == 0
                          ? std::string()
                          : ops::explain_ring_error(feature.error, feature.step.c_str())));
    ring &= feature.error == 0;
  }
  if (ring) {
    findings.push_back(check_seccomp(machine.status));
    findings.push_back(check_locked_memory(limit_of(RLIMIT_MEMLOCK, false),
                                           try_rings(wanted.shards), wanted.shards));
  }
  findings.push_back(check_descriptors(limit_of(RLIMIT_NOFILE, true).value_or(UINT64_MAX), wanted));
  findings.push_back(check_cpus(ops::allowed_cpus().size(), ops::cpu_quota(), wanted.shards));
  findings.push_back(check_governor(machine.governors));
  findings.push_back(check_autogroup(machine.autogroup, wanted.pinned, postgresql_is_here));
  findings.push_back(check_backlog(machine.somaxconn));
  return findings;
}

}  // namespace ringpost::doctor
