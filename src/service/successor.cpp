#include "src/service/successor.h"

#include <climits>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <spawn.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ringpost::service {

namespace {

std::string own_file() {
  char path[PATH_MAX];
  const ssize_t size = ::readlink("/proc/self/exe", path, sizeof path);
  if (size > 0) return {path, static_cast<size_t>(size)};
  // Where /proc is not mounted: what the kernel was asked to start.
  const auto* started = reinterpret_cast<const char*>(getauxval(AT_EXECFN));
  return started != nullptr ? started : "";
}

}  // namespace

Successor::Successor(char** argv, const sigset_t& mask)
    : argv_(argv), mask_(mask), program_(own_file()) {}

std::expected<pid_t, std::string> Successor::start(const ops::Notifier& notifier) {
  if (::getpid() == 1)
    return std::unexpected(
        "this is process 1 of its container, which ends with it: start a new container");
  if (pid_ != 0) return std::unexpected("process " + std::to_string(pid_) + " has begun already");
  std::vector<std::string> own;
  if (notifier.supervised()) {
    own.push_back("NOTIFY_SOCKET=" + notifier.socket_path());
    if (const auto watchdog = notifier.watchdog())
      own.push_back("WATCHDOG_USEC=" + std::to_string(watchdog->count()));
  }
  std::vector<char*> environment;
  for (char** each = environ; *each != nullptr; ++each) environment.push_back(*each);
  for (std::string& each : own) environment.push_back(each.data());
  environment.push_back(nullptr);

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t ignored;
  sigemptyset(&ignored);
  sigaddset(&ignored, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &ignored);
  posix_spawnattr_setsigmask(&attributes, &mask_);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  pid_t pid = 0;
  const int error =
      posix_spawn(&pid, program_.c_str(), nullptr, &attributes, argv_, environment.data());
  posix_spawnattr_destroy(&attributes);
  if (error != 0)
    return std::unexpected("can't start " + program_ + ": " +
                           std::generic_category().message(error));
  pid_ = pid;
  return pid;
}

std::optional<int> Successor::ended() {
  std::optional<int> ended;
  int status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid != pid_) continue;
    pid_ = 0;
    ended = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return ended;
}

}  // namespace ringpost::service
