#include "src/doctor/machine.h"

#include <gtest/gtest.h>

#include "tests/support/file_tree.h"

namespace ringpost::doctor {
namespace {

using Verdict = Finding::Verdict;

// "NO: what -> advice".
std::string text(const Finding& finding) {
  std::string line = finding.verdict == Verdict::fit    ? "yes: "
                     : finding.verdict == Verdict::note ? "but: "
                                                        : "NO: ";
  line += finding.what;
  if (!finding.advice.empty()) line += " -> " + finding.advice;
  return line;
}

TEST(Machine, Kernel) {
  EXPECT_EQ(text(check_kernel("6.1.0-28-amd64")),
            "yes: Linux 6.1.0-28-amd64 (6.1 or newer is needed)");
  EXPECT_EQ(check_kernel("6.18.44").verdict, Verdict::fit);
  EXPECT_EQ(check_kernel("7.0.1").verdict, Verdict::fit);
  EXPECT_EQ(text(check_kernel("6.0.12")),
            "NO: Linux 6.0.12 is too old -> run Linux 6.1 or newer; in a container it is the "
            "host's kernel that counts");
  EXPECT_EQ(check_kernel("5.15.0").verdict, Verdict::unfit);
  EXPECT_EQ(check_kernel("").verdict, Verdict::note);
}

TEST(Machine, RingFeatures) {
  EXPECT_EQ(text(check_ring_feature("a ring", "")), "yes: io_uring: a ring");
  EXPECT_EQ(text(check_ring_feature("a ring", "a seccomp profile refuses it")),
            "NO: io_uring: a ring can't be had -> a seccomp profile refuses it");
}

TEST(Machine, Seccomp) {
  EXPECT_EQ(text(check_seccomp("Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n")),
            "yes: a seccomp filter is in force, and lets io_uring through");
  EXPECT_EQ(text(check_seccomp("Name:\tx\nSeccomp:\t0\nSeccomp_filters:\t2\n")),
            "yes: no seccomp filter");
  EXPECT_EQ(text(check_seccomp("Name:\tx\nSeccomp_filters:\t2\n")), "yes: no seccomp filter");
  EXPECT_EQ(text(check_seccomp("")), "yes: no seccomp filter");
}

TEST(Machine, LockedMemory) {
  EXPECT_EQ(text(check_locked_memory(8 << 20, 4, 4)),
            "yes: locked memory (8192 KiB) is enough for the rings of 4 shards");
  EXPECT_EQ(text(check_locked_memory(std::nullopt, 4, 4)),
            "yes: locked memory (unlimited) is enough for the rings of 4 shards");
  EXPECT_EQ(text(check_locked_memory(1 << 20, 1, 4)),
            "NO: locked memory (1024 KiB) is enough for 1 of 4 shards' rings -> raise it: ulimit "
            "-l unlimited, LimitMEMLOCK=infinity of the service, --ulimit memlock=-1 of the "
            "container; or fewer SHARDS");
}

TEST(Machine, Descriptors) {
  const Wanted wanted{.shards = 2, .pinned = true, .db_max_conns = 10, .max_connections = 0};
  // 64 + 2 * 10 + 6 * 2 are kept back.
  EXPECT_EQ(text(check_descriptors(20'096, wanted)),
            "yes: ulimit -n is 20096: room for 10000 connections a shard");
  EXPECT_EQ(text(check_descriptors(1'024, wanted)),
            "but: ulimit -n is 1024: room for only 464 connections a shard -> raise it where more "
            "clients are to be connected at a time: LimitNOFILE= of the service");
  EXPECT_EQ(text(check_descriptors(127, wanted)),
            "NO: ulimit -n is 127, and SHARDS=2 with DB_MAX_CONNS=10 need 128 -> raise it: ulimit "
            "-n, LimitNOFILE= of the service, --ulimit nofile= of the container");
  EXPECT_EQ(check_descriptors(128, wanted).verdict, Verdict::note);
  Wanted many = wanted;
  many.max_connections = 5'000;
  EXPECT_EQ(text(check_descriptors(10'095, many)),
            "NO: ulimit -n is 10095: room for 4999 connections a shard, and MAX_CONNECTIONS is "
            "5000 -> raise it to 10096, or lower MAX_CONNECTIONS");
  EXPECT_EQ(check_descriptors(10'096, many).verdict, Verdict::fit);
}

TEST(Machine, Cpus) {
  EXPECT_EQ(text(check_cpus(4, std::nullopt, 4)), "yes: 4 CPUs, 4 shards");
  EXPECT_EQ(text(check_cpus(4, 2.0, 2)), "yes: 4 CPUs, a quota of 2.0, 2 shards");
  EXPECT_EQ(text(check_cpus(4, 1.5, 2)),
            "NO: 4 CPUs, a quota of 1.5, 2 shards: the kernel will stop them for a part of each "
            "tenth of a second -> let SHARDS be no more than the quota: SHARDS=1, or raise the "
            "quota");
  EXPECT_EQ(text(check_cpus(4, 0.5, 1)),
            "but: 4 CPUs, a quota of 0.5, 1 shards: the kernel will stop the shard when it is busy "
            "-> a quota of 1 or more keeps the slowest requests quick");
  EXPECT_EQ(text(check_cpus(2, std::nullopt, 3)),
            "but: 2 CPUs, 3 shards: shards share CPUs, and wait for each other -> let SHARDS be no "
            "more than the CPUs: SHARDS=2");
}

TEST(Machine, Governor) {
  EXPECT_EQ(check_governor({}).verdict, Verdict::fit);
  EXPECT_EQ(text(check_governor({"performance", "performance"})),
            "yes: the CPUs' frequency governor is performance");
  EXPECT_EQ(check_governor({"schedutil"}).verdict, Verdict::fit);
  EXPECT_EQ(text(check_governor({"performance", "powersave"})),
            "but: the CPUs' frequency governor is powersave: a request that comes alone is served "
            "by a slow CPU -> cpupower frequency-set -g performance, where latency counts for more "
            "than power");
}

TEST(Machine, Autogroup) {
  EXPECT_EQ(check_autogroup("1", true, false).verdict, Verdict::fit);
  EXPECT_EQ(check_autogroup("1", false, true).verdict, Verdict::fit);
  EXPECT_EQ(text(check_autogroup("1", true, true)),
            "but: PostgreSQL is on this machine too, shards are pinned, and the kernel groups "
            "processes by session (autogroup): a backend can wait 0.1 s and more for its core -> "
            "PIN_SHARDS=false, or cores of its own for PostgreSQL");
  EXPECT_EQ(text(check_autogroup("0", true, true)),
            "but: PostgreSQL is on this machine too, and shards are pinned to cores that it uses "
            "-> PIN_SHARDS=false, or cores of its own for PostgreSQL");
}

TEST(Machine, Backlog) {
  EXPECT_EQ(check_backlog("4096").verdict, Verdict::fit);
  EXPECT_EQ(check_backlog("").verdict, Verdict::fit);
  EXPECT_EQ(text(check_backlog("128")),
            "but: a listening socket's queue holds only 128 connections -> sysctl -w "
            "net.core.somaxconn=4096, where many clients connect at the same moment");
}

TEST(Machine, IsReadFromItsFiles) {
  const tests::FileTree root{
      {"proc/sys/kernel/osrelease", "6.1.0-x\n"},
      {"proc/self/status", "Name:\tx\nSeccomp:\t2\n"},
      {"proc/sys/kernel/sched_autogroup_enabled", "1\n"},
      {"proc/sys/net/core/somaxconn", "128\n"},
      {"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n"},
      {"sys/devices/system/cpu/cpu1/topology", ""},
  };
  const Machine machine = read_machine(root.root());
  EXPECT_EQ(machine.release, "6.1.0-x");
  EXPECT_EQ(machine.status, "Name:\tx\nSeccomp:\t2");
  EXPECT_EQ(machine.autogroup, "1");
  EXPECT_EQ(machine.somaxconn, "128");
  EXPECT_EQ(machine.governors, std::vector<std::string>{"powersave"});
  const tests::FileTree nothing{};
  EXPECT_EQ(read_machine(nothing.root()).release, "");
}

// Where the tests run, the server runs.
TEST(Machine, ThisOneIsExamined) {
  const Findings findings = examine_machine({.shards = 1, .db_max_conns = 2}, false);
  EXPECT_TRUE(all_fit(findings)) << to_text(findings);
  EXPECT_GE(findings.size(), 10u);
}

}  // namespace
}  // namespace ringpost::doctor
