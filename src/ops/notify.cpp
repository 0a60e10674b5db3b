#include "src/ops/notify.h"

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <system_error>
#include <utility>

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace ringpost::ops {

namespace {

std::optional<int64_t> number(const char* text) {
  int64_t value = 0;
  const char* end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, value);
  if (error != std::errc() || stop != end || value <= 0) return std::nullopt;
  return value;
}

// Connected to where `path` says; -1 with errno.
int connect_to(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path.starts_with('@')) address.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd == -1) return -1;
  // A supervisor that reads nothing must not hold up what it supervises.
  const timeval limit{.tv_sec = 1, .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), length) == 0) return fd;
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

}  // namespace

Notifier::Notifier(Notifier&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      watchdog_(std::exchange(other.watchdog_, std::nullopt)) {}

Notifier& Notifier::operator=(Notifier&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  std::swap(watchdog_, other.watchdog_);
  return *this;
}

Notifier::~Notifier() {
  if (fd_ != -1) ::close(fd_);
}

std::expected<Notifier, std::string> Notifier::make(const char* notify_socket,
                                                    const char* watchdog_usec,
                                                    const char* watchdog_pid, pid_t pid) {
  Notifier notifier;
  if (notify_socket == nullptr || *notify_socket == '\0') return notifier;
  notifier.path_ = notify_socket;
  if (*notify_socket != '/' && *notify_socket != '@')
    return std::unexpected("NOTIFY_SOCKET is '" + notifier.path_ +
                           "': only a path of a UNIX socket, or a name that begins with @, is "
                           "understood");
  notifier.fd_ = connect_to(notifier.path_);
  if (notifier.fd_ == -1)
    return std::unexpected("NOTIFY_SOCKET is '" + notifier.path_ +
                           "', where nobody listens: " + std::generic_category().message(errno));
  if (watchdog_usec == nullptr) return notifier;
  const auto limit = number(watchdog_usec);
  if (!limit)
    return std::unexpected(std::string("WATCHDOG_USEC is '") + watchdog_usec +
                           "', which is no number of microseconds");
  // Without it all processes are meant.
  if (watchdog_pid == nullptr || number(watchdog_pid) == pid)
    notifier.watchdog_ = std::chrono::microseconds(*limit);
  return notifier;
}

std::expected<Notifier, std::string> Notifier::of_environment() {
  auto made = make(std::getenv("NOTIFY_SOCKET"), std::getenv("WATCHDOG_USEC"),
                   std::getenv("WATCHDOG_PID"), getpid());
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) unsetenv(name);
  return made;
}

bool Notifier::send(std::string_view lines) const {
  if (fd_ == -1) return true;
  return ::send(fd_, lines.data(), lines.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(lines.size());
}

void Notifier::ready(std::string_view status) const {
  send("READY=1\nSTATUS=" + std::string(status));
}

void Notifier::reloading() const {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t us = int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(us));
}

void Notifier::succeeded_by(pid_t pid) const {
  send("MAINPID=" + std::to_string(pid));
}

}  // namespace ringpost::ops
