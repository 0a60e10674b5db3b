#include "src/ops/activation.h"

#include <charconv>
#include <climits>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace ringpost::ops {

namespace {

// As many as a process can have at all.
constexpr int most_passed = 1 << 20;

std::optional<int> number(std::string_view text) {
  int value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || value < 0) return std::nullopt;
  return value;
}

std::string no_number(const char* name, const char* text) {
  return std::string(name) + " is '" + text +
         "', which is no number: it is set by whoever passes sockets, and by nobody else";
}

}  // namespace

std::expected<int, std::string> count_passed(const char* listen_pid, const char* listen_fds,
                                             int pid) {
  if (listen_pid == nullptr || listen_fds == nullptr) return 0;
  const auto meant_for = number(listen_pid);
  if (!meant_for) return std::unexpected(no_number("LISTEN_PID", listen_pid));
  if (*meant_for != pid) return 0;
  const auto count = number(listen_fds);
  if (!count || *count > most_passed) return std::unexpected(no_number("LISTEN_FDS", listen_fds));
  return *count;
}

std::expected<std::vector<int>, std::string> take_passed_sockets() {
  const auto count = count_passed(std::getenv("LISTEN_PID"), std::getenv("LISTEN_FDS"), getpid());
  if (!count) return std::unexpected(count.error());
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) unsetenv(name);
  std::vector<int> fds;
  for (int fd = first_passed_fd; fd < first_passed_fd + *count; ++fd) {
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
      return std::unexpected("LISTEN_FDS is " + std::to_string(*count) + ", but descriptor " +
                             std::to_string(fd) + " is not open");
    fds.push_back(fd);
  }
  return fds;
}

}  // namespace ringpost::ops
