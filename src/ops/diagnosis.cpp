#include "src/ops/diagnosis.h"

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <system_error>

#include <sys/utsname.h>

namespace ringpost::ops {

namespace {

// 0 when the sysctl does not exist (before Linux 6.6).
int disabled_by_sysctl(const std::filesystem::path& root) {
  std::ifstream file(root / "proc/sys/kernel/io_uring_disabled");
  int value = 0;
  file >> value;
  return value;
}

// "Seccomp: 2" in /proc/self/status: a filter is in force.
bool filtered_by_seccomp(const std::filesystem::path& root) {
  std::ifstream file(root / "proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("Seccomp:", 0) == 0) return line.find('2') != std::string::npos;
  return false;
}

bool older_than_6_1(const std::string& release) {
  int major = 0, minor = 0;
  if (std::sscanf(release.c_str(), "%d.%d", &major, &minor) != 2) return false;
  return major < 6 || (major == 6 && minor < 1);
}

}  // namespace

std::string kernel_release(const std::filesystem::path& root) {
  std::ifstream file(root / "proc/sys/kernel/osrelease");
  std::string release;
  utsname system{};
  if (!(file >> release) && root == "/" && ::uname(&system) == 0) release = system.release;
  return release;
}

std::string explain_ring_error(int code, const char* step, const std::filesystem::path& root) {
  const std::string what = "io_uring can't be had (" + std::string(step) + ": " +
                           std::generic_category().message(code) + "): ";
  std::string release = kernel_release(root);
  if (release.empty()) release = "unknown";
  if (code == ENOSYS && !filtered_by_seccomp(root))
    return what + "kernel " + release +
           " is built without it or too old; ringpost needs Linux 6.1 or newer";
  if (code == EPERM || code == EACCES || code == ENOSYS) {
    const int disabled = disabled_by_sysctl(root);
    if (disabled != 0)
      return what + "the sysctl kernel.io_uring_disabled is " + std::to_string(disabled) +
             "; allow it: sysctl -w kernel.io_uring_disabled=0" +
             (disabled == 1 ? " (or put this user's group into kernel.io_uring_group)" : "");
    if (filtered_by_seccomp(root))
      return what +
             "a seccomp profile refuses it, as container engines do by default; run the container "
             "with a profile that "
             "allows io_uring_setup, io_uring_enter and io_uring_register (--security-opt "
             "seccomp=FILE)";
  }
  if (older_than_6_1(release))
    return what + "kernel " + release + " is too old; ringpost needs Linux 6.1 or newer";
  if (code == ENOMEM)
    return what +
           "the limit of locked memory is too low; raise it: ulimit -l, or LimitMEMLOCK= of the "
           "service";
  if (code == EMFILE || code == ENFILE) return what + "no file descriptor is left; raise ulimit -n";
  return what + "kernel " + release + "; ringpost needs Linux 6.1 or newer with io_uring enabled";
}

}  // namespace ringpost::ops
