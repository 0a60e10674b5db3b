#include "src/ops/diagnosis.h"

#include <cerrno>

#include <gtest/gtest.h>

#include "tests/support/file_tree.h"

namespace ringpost::ops {
namespace {

using tests::FileTree;

constexpr auto start = "io_uring can't be had (io_uring_setup: Operation not permitted): ";

TEST(ExplainRingError, TheSysctl) {
  FileTree tree(
      {{"proc/sys/kernel/io_uring_disabled", "2\n"}, {"proc/self/status", "Seccomp:\t0\n"}});
  EXPECT_EQ(explain_ring_error(EPERM, "io_uring_setup", tree.root()),
            std::string(start) +
                "the sysctl kernel.io_uring_disabled is 2; allow it: sysctl -w "
                "kernel.io_uring_disabled=0");
}

TEST(ExplainRingError, TheSysctlForUnprivilegedUsers) {
  FileTree tree(
      {{"proc/sys/kernel/io_uring_disabled", "1\n"}, {"proc/self/status", "Seccomp:\t2\n"}});
  EXPECT_EQ(explain_ring_error(EPERM, "io_uring_setup", tree.root()),
            std::string(start) +
                "the sysctl kernel.io_uring_disabled is 1; allow it: sysctl -w "
                "kernel.io_uring_disabled=0 (or put this "
                "user's group into kernel.io_uring_group)");
}

TEST(ExplainRingError, ASeccompProfile) {
  FileTree tree({{"proc/sys/kernel/io_uring_disabled", "0\n"},
                 {"proc/self/status", "Name:\tringpost\nSeccomp:\t2\nSeccomp_filters:\t1\n"},
                 {"proc/sys/kernel/osrelease", "6.12.1\n"}});
  EXPECT_EQ(explain_ring_error(EPERM, "io_uring_setup", tree.root()),
            std::string(start) +
                "a seccomp profile refuses it, as container engines do by default; run the "
                "container with a profile "
                "that allows io_uring_setup, io_uring_enter and io_uring_register (--security-opt "
                "seccomp=FILE)");
}

TEST(ExplainRingError, AnOldKernel) {
  FileTree tree({{"proc/sys/kernel/osrelease", "5.15.0-91-generic\n"},
                 {"proc/self/status", "Seccomp:\t0\n"}});
  EXPECT_EQ(explain_ring_error(EINVAL, "io_uring_setup", tree.root()),
            "io_uring can't be had (io_uring_setup: Invalid argument): kernel 5.15.0-91-generic is "
            "too old; ringpost "
            "needs Linux 6.1 or newer");
  EXPECT_EQ(explain_ring_error(ENOSYS, "io_uring_setup", tree.root()),
            "io_uring can't be had (io_uring_setup: Function not implemented): kernel "
            "5.15.0-91-generic is built without "
            "it or too old; ringpost needs Linux 6.1 or newer");
}

TEST(ExplainRingError, LockedMemory) {
  FileTree tree({{"proc/sys/kernel/osrelease", "6.12.1\n"}});
  EXPECT_EQ(explain_ring_error(ENOMEM, "io_uring_setup", tree.root()),
            "io_uring can't be had (io_uring_setup: Cannot allocate memory): the limit of locked "
            "memory is too low; "
            "raise it: ulimit -l, or LimitMEMLOCK= of the service");
}

// As in a container that masks /proc.
TEST(KernelRelease, IsKnownWithoutProc) {
  EXPECT_NE(kernel_release("/").find('.'), std::string::npos);
  EXPECT_EQ(kernel_release("/nowhere"), "");
}

}  // namespace
}  // namespace ringpost::ops
