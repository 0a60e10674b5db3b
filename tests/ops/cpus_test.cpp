#include "src/ops/cpus.h"

#include <gtest/gtest.h>

#include "tests/support/file_tree.h"

namespace ringpost::ops {
namespace {

using tests::FileTree;

TEST(CpuQuota, NoneSet) {
  FileTree tree({{"proc/self/cgroup", "0::/\n"}, {"sys/fs/cgroup/cpu.max", "max 100000\n"}});
  EXPECT_EQ(cpu_quota(tree.root()), std::nullopt);
  FileTree empty({});
  EXPECT_EQ(cpu_quota(empty.root()), std::nullopt);
}

TEST(CpuQuota, Version2InAContainer) {
  FileTree tree({{"proc/self/cgroup", "0::/\n"}, {"sys/fs/cgroup/cpu.max", "150000 100000\n"}});
  EXPECT_EQ(cpu_quota(tree.root()), 1.5);
}

TEST(CpuQuota, Version2TakesTheTightestOfAllLevels) {
  FileTree outer({{"proc/self/cgroup", "0::/system.slice/ringpost.service\n"},
                  {"sys/fs/cgroup/system.slice/cpu.max", "200000 100000\n"},
                  {"sys/fs/cgroup/system.slice/ringpost.service/cpu.max", "400000 100000\n"}});
  EXPECT_EQ(cpu_quota(outer.root()), 2.0);
  FileTree inner({{"proc/self/cgroup", "0::/system.slice/ringpost.service\n"},
                  {"sys/fs/cgroup/system.slice/cpu.max", "400000 100000\n"},
                  {"sys/fs/cgroup/system.slice/ringpost.service/cpu.max", "200000 100000\n"}});
  EXPECT_EQ(cpu_quota(inner.root()), 2.0);
}

TEST(CpuQuota, Version1InAContainerWithTheHostsPath) {
  FileTree tree({{"proc/self/cgroup", "4:memory:/docker/abc\n1:cpu:/docker/abc\n"},
                 {"sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n"},
                 {"sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}});
  EXPECT_EQ(cpu_quota(tree.root()), 0.5);
}

TEST(CpuQuota, Version1WithCombinedControllersAndNoQuota) {
  FileTree tree({{"proc/self/cgroup", "3:cpu,cpuacct:/\n"},
                 {"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n"},
                 {"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"}});
  EXPECT_EQ(cpu_quota(tree.root()), std::nullopt);
}

TEST(CpuQuota, WhatIsNoNumberIsNoQuota) {
  for (const char* text :
       {"", "\n", "garbage\n", "garbage 100000\n", "50000 garbage\n", "50000\n", "-50000 100000\n",
        "50000 -100000\n", "50000x 100000\n", "5e4 100000\n", "inf 100000\n", "nan 100000\n",
        "0x10 100000\n", "0 100000\n", "50000 0\n", "99999999999999999999999999 100000\n"}) {
    SCOPED_TRACE(text);
    FileTree v2({{"proc/self/cgroup", "0::/\n"}, {"sys/fs/cgroup/cpu.max", text}});
    EXPECT_EQ(cpu_quota(v2.root()), std::nullopt);
  }
  for (const char* text : {"", "garbage\n", "5e4\n", "inf\n", "0\n", "99999999999999999999999\n"}) {
    SCOPED_TRACE(text);
    FileTree v1({{"proc/self/cgroup", "1:cpu:/\n"},
                 {"sys/fs/cgroup/cpu/cpu.cfs_quota_us", text},
                 {"sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}});
    EXPECT_EQ(cpu_quota(v1.root()), std::nullopt);
  }
}

TEST(DefaultShards, IsBoundByAffinityAndQuotaAndIsAtLeastOne) {
  EXPECT_EQ(default_shards(8, std::nullopt), 8u);
  EXPECT_EQ(default_shards(8, 2.0), 2u);
  EXPECT_EQ(default_shards(8, 2.9), 2u);
  EXPECT_EQ(default_shards(2, 16.0), 2u);
  EXPECT_EQ(default_shards(8, 0.5), 1u);
}

TEST(CpusOfShard, EachGetsOneOrAnEvenShare) {
  using Cpus = std::vector<int>;
  EXPECT_EQ(cpus_of_shard({4, 6}, 0, 2), Cpus{4});
  EXPECT_EQ(cpus_of_shard({4, 6}, 1, 2), Cpus{6});
  EXPECT_EQ(cpus_of_shard({4, 6}, 2, 3), Cpus{4});
  EXPECT_EQ(cpus_of_shard({4, 6}, 0, 1), (Cpus{4, 6}));
  EXPECT_EQ(cpus_of_shard({0, 1, 2, 3, 4}, 0, 2), (Cpus{0, 2, 4}));
  EXPECT_EQ(cpus_of_shard({0, 1, 2, 3, 4}, 1, 2), (Cpus{1, 3}));
}

TEST(AllowedCpus, AreThoseOfThisThread) {
  EXPECT_GE(allowed_cpus().size(), 1u);
}

}  // namespace
}  // namespace ringpost::ops
