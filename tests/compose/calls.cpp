// Makes system calls under the filter that it is started with and prints how each ended, "NAME
// ERRNO" a line (0: done), for compose_test.py. None of them changes anything outside of the
// container it runs in.
#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void say(const char* name, long result) {
  std::printf("%s %d\n", name, result < 0 ? errno : 0);
}

int main() {
  char ring[256] = {};
  // What ringpost does.
  say("io_uring_setup", syscall(SYS_io_uring_setup, 4, ring));
  say("socket_inet", socket(AF_INET, SOCK_STREAM, 0));
  say("socket_unix", socket(AF_UNIX, SOCK_STREAM, 0));
  say("name_thread", prctl(PR_SET_NAME, "calls"));
  // What the C library is to be told is not there.
  say("clone3", syscall(SYS_clone3, nullptr, 0));
  // What engines allow by default and ringpost has no use for.
  const long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (child == 0) _exit(0);
  say("fork", child);
  say("mkdir", mkdirat(AT_FDCWD, "/proc/made", 0700));
  say("unlink", unlinkat(AT_FDCWD, "/proc/none", 0));
  say("chmod", fchmodat(AT_FDCWD, "/proc/none", 0700, 0));
  say("rename", renameat(AT_FDCWD, "/proc/none", AT_FDCWD, "/proc/made"));
  say("kill", kill(getpid(), 0));
  say("dumpable", prctl(PR_GET_DUMPABLE));
  say("socket_audit", socket(AF_NETLINK, SOCK_RAW, 9));
  say("memfd", syscall(SYS_memfd_create, "x", 0));
  // What both refuse.
  say("unshare", unshare(CLONE_NEWUSER));
  say("bpf", syscall(SYS_bpf, 0, nullptr, 0));
  say("keyctl", syscall(SYS_keyctl, 0, 0, 0));
  return 0;
}
