#include "src/ops/cgroup.h"

#include <gtest/gtest.h>

#include "tests/support/file_tree.h"

namespace ringpost::ops {
namespace {

using tests::FileTree;

// "2 sys/fs/cgroup/x" for each group: version, and folder below the root.
std::vector<std::string> told(std::string_view controller, const FileTree& tree) {
  std::vector<std::string> lines;
  for (const Cgroup& group : cgroups(controller, tree.root()))
    lines.push_back(std::to_string(group.version) + " " +
                    group.folder.lexically_relative(tree.root()).lexically_normal().string());
  return lines;
}

using Lines = std::vector<std::string>;

TEST(Cgroups, NoneWhereTheKernelTellsOfNone) {
  EXPECT_EQ(told("memory", FileTree({})), Lines());
  EXPECT_EQ(told("memory", FileTree({{"proc/self/cgroup", "\ngarbage\n1:memory\n"},
                                     {"sys/fs/cgroup/memory/tasks", ""}})),
            Lines());
}

TEST(Cgroups, Version2IsTheGroupAndAllAboveIt) {
  FileTree tree({{"proc/self/cgroup", "0::/a.slice/b.service\n"}});
  EXPECT_EQ(told("memory", tree), (Lines{"2 sys/fs/cgroup/a.slice/b.service",
                                         "2 sys/fs/cgroup/a.slice", "2 sys/fs/cgroup/"}));
}

TEST(Cgroups, APathOfSlashesAloneEnds) {
  FileTree tree({{"proc/self/cgroup", "0:://\n"}});
  EXPECT_EQ(told("memory", tree), Lines{"2 sys/fs/cgroup/"});
}

TEST(Cgroups, Version1IsBelowTheMountOfItsController) {
  FileTree tree({{"proc/self/cgroup", "5:memory:/x\n2:cpu,cpuacct:/y\n1:cpuset:/z\n"},
                 {"sys/fs/cgroup/memory/tasks", ""},
                 {"sys/fs/cgroup/cpuset/tasks", ""},
                 {"sys/fs/cgroup/cpu,cpuacct/tasks", ""}});
  EXPECT_EQ(told("memory", tree), (Lines{"1 sys/fs/cgroup/memory/x", "1 sys/fs/cgroup/memory/"}));
  EXPECT_EQ(told("cpu", tree),
            (Lines{"1 sys/fs/cgroup/cpu,cpuacct/y", "1 sys/fs/cgroup/cpu,cpuacct/"}));
  EXPECT_EQ(told("acct", tree), Lines());
}

TEST(Cgroups, Version1IsFoundWhicheverOrderItsMountIsNamedIn) {
  FileTree tree(
      {{"proc/self/cgroup", "2:cpu,cpuacct:/\n"}, {"sys/fs/cgroup/cpuacct,cpu/tasks", ""}});
  EXPECT_EQ(told("cpu", tree), Lines{"1 sys/fs/cgroup/cpuacct,cpu/"});
}

TEST(Cgroups, BothVersionsAtATime) {
  FileTree tree({{"proc/self/cgroup", "4:memory:/\n0::/x\n"}, {"sys/fs/cgroup/memory/tasks", ""}});
  EXPECT_EQ(told("memory", tree),
            (Lines{"1 sys/fs/cgroup/memory/", "2 sys/fs/cgroup/x", "2 sys/fs/cgroup/"}));
}

TEST(LimitNumber, IsDecimalDigitsAndMoreThanZero) {
  EXPECT_EQ(limit_number("1"), 1u);
  EXPECT_EQ(limit_number("18446744073709551615"), 18446744073709551615u);
  for (const char* text :
       {"", "0", "-1", "+1", "max", "1x", "1 ", " 1", "1e3", "0x10", "18446744073709551616"}) {
    SCOPED_TRACE(text);
    EXPECT_EQ(limit_number(text), std::nullopt);
  }
}

}  // namespace
}  // namespace ringpost::ops
