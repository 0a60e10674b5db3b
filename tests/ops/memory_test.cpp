#include "src/ops/memory.h"

#include <gtest/gtest.h>

#include "tests/support/file_tree.h"

namespace ringpost::ops {
namespace {

using tests::FileTree;

TEST(MemoryLimit, NoneSet) {
  FileTree tree({{"proc/self/cgroup", "0::/\n"}, {"sys/fs/cgroup/memory.max", "max\n"}});
  EXPECT_EQ(memory_limit(tree.root()), std::nullopt);
  FileTree root_group({{"proc/self/cgroup", "0::/\n"}});  // the root of all has no such file
  EXPECT_EQ(memory_limit(root_group.root()), std::nullopt);
  FileTree empty({});
  EXPECT_EQ(memory_limit(empty.root()), std::nullopt);
}

TEST(MemoryLimit, Version2InAContainer) {
  FileTree tree({{"proc/self/cgroup", "0::/\n"}, {"sys/fs/cgroup/memory.max", "536870912\n"}});
  EXPECT_EQ(memory_limit(tree.root()), 536'870'912u);
}

TEST(MemoryLimit, Version2TakesTheTightestOfAllLevels) {
  FileTree outer({{"proc/self/cgroup", "0::/system.slice/ringpost.service\n"},
                  {"sys/fs/cgroup/system.slice/memory.max", "1048576\n"},
                  {"sys/fs/cgroup/system.slice/ringpost.service/memory.max", "2097152\n"}});
  EXPECT_EQ(memory_limit(outer.root()), 1'048'576u);
  FileTree inner({{"proc/self/cgroup", "0::/system.slice/ringpost.service\n"},
                  {"sys/fs/cgroup/memory.max", "max\n"},
                  {"sys/fs/cgroup/system.slice/memory.max", "4194304\n"},
                  {"sys/fs/cgroup/system.slice/ringpost.service/memory.max", "2097152\n"}});
  EXPECT_EQ(memory_limit(inner.root()), 2'097'152u);
}

TEST(MemoryLimit, Version1InAContainerWithTheHostsPath) {
  FileTree tree({{"proc/self/cgroup", "4:memory:/docker/abc\n1:cpu:/docker/abc\n0::/\n"},
                 {"sys/fs/cgroup/memory/memory.limit_in_bytes", "268435456\n"}});
  EXPECT_EQ(memory_limit(tree.root()), 268'435'456u);
}

TEST(MemoryLimit, Version1TakesTheTightestOfAllLevels) {
  FileTree tree({{"proc/self/cgroup", "4:memory:/a/b\n"},
                 {"sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"},
                 {"sys/fs/cgroup/memory/a/memory.limit_in_bytes", "1048576\n"},
                 {"sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "2097152\n"}});
  EXPECT_EQ(memory_limit(tree.root()), 1'048'576u);
}

TEST(MemoryLimit, Version1Unlimited) {
  for (const char* text : {"9223372036854771712\n",     // with pages of 4 KiB
                           "9223372036854710272\n"}) {  // of 64 KiB
    SCOPED_TRACE(text);
    FileTree tree({{"proc/self/cgroup", "4:memory:/\n"},
                   {"sys/fs/cgroup/memory/memory.limit_in_bytes", text}});
    EXPECT_EQ(memory_limit(tree.root()), std::nullopt);
  }
}

TEST(MemoryLimit, WhatIsNoNumberIsNoLimit) {
  for (const char* text : {"", "\n", "garbage\n", "-1\n", "0\n", "0x10\n", "1e9\n", "512M\n",
                           "inf\n", "99999999999999999999999999\n"}) {
    SCOPED_TRACE(text);
    FileTree v2({{"proc/self/cgroup", "0::/\n"}, {"sys/fs/cgroup/memory.max", text}});
    EXPECT_EQ(memory_limit(v2.root()), std::nullopt);
    FileTree v1({{"proc/self/cgroup", "4:memory:/\n"},
                 {"sys/fs/cgroup/memory/memory.limit_in_bytes", text}});
    EXPECT_EQ(memory_limit(v1.root()), std::nullopt);
  }
}

TEST(AvailableMemory, IsTheLimitOrTheMachinesWhereThatIsLess) {
  FileTree limited({{"proc/self/cgroup", "0::/\n"},
                    {"sys/fs/cgroup/memory.max", "1048576\n"},
                    {"proc/meminfo", "MemTotal:           2048 kB\nMemFree:    1 kB\n"}});
  EXPECT_EQ(available_memory(limited.root()), 1'048'576u);
  FileTree small({{"proc/self/cgroup", "0::/\n"},
                  {"sys/fs/cgroup/memory.max", "1048576\n"},
                  {"proc/meminfo", "MemTotal:            512 kB\nMemFree:    1 kB\n"}});
  EXPECT_EQ(available_memory(small.root()), 524'288u);
  FileTree unlimited({{"proc/self/cgroup", "0::/\n"},
                      {"sys/fs/cgroup/memory.max", "max\n"},
                      {"proc/meminfo", "MemFree:    1 kB\nMemTotal:       24684092 kB\n"}});
  EXPECT_EQ(available_memory(unlimited.root()), 25'276'510'208u);
}

TEST(AvailableMemory, IsWhatIsTold) {
  FileTree limit_alone({{"proc/self/cgroup", "0::/\n"}, {"sys/fs/cgroup/memory.max", "1048576\n"}});
  EXPECT_EQ(available_memory(limit_alone.root()), 1'048'576u);
  FileTree empty({});
  EXPECT_EQ(available_memory(empty.root()), 0u);
  for (const char* text : {"", "\n", "MemTotal:\n", "MemTotal: garbage kB\n", "MemTotal: -1 kB\n",
                           "MemTotal: 18446744073709551615 kB\n"}) {
    SCOPED_TRACE(text);
    FileTree garbage({{"proc/meminfo", text}});
    EXPECT_EQ(available_memory(garbage.root()), 0u);
  }
}

TEST(AvailableMemory, OfThisMachineIsKnown) {
  EXPECT_GE(available_memory(), 1'048'576u);
}

}  // namespace
}  // namespace ringpost::ops
