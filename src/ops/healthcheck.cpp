#include "src/ops/healthcheck.h"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <system_error>

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace ringpost::ops {

namespace {

using Clock = std::chrono::steady_clock;

std::string reason() {
  return std::generic_category().message(errno);
}

// Waits for `events`; false when the moment has passed first.
bool wait(int fd, short events, Clock::time_point until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
  pollfd watched{fd, events, 0};
  return left > 0 && ::poll(&watched, 1, static_cast<int>(left)) == 1;
}

struct Socket {
  int fd;
  ~Socket() {
    if (fd != -1) ::close(fd);
  }
};

// Where a server listens: an address, or a UNIX socket.
struct Target {
  sockaddr_storage address{};
  socklen_t length = 0;
  std::string name;
};

std::optional<Target> unix_target(std::string_view path) {
  Target target{.name = "unix:" + std::string(path)};
  auto& address = reinterpret_cast<sockaddr_un&>(target.address);
  if (path.empty() || path.size() >= sizeof address.sun_path) return std::nullopt;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const bool abstract = path.front() == '@';
  if (abstract) address.sun_path[0] = '\0';
  target.length =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 0 : 1));
  return target;
}

std::optional<Target> numeric_target(const std::string& host, uint16_t port) {
  // `::` takes IPv4 too, also where there is no IPv6.
  const std::string numeric = host == "::" || host == "0.0.0.0" ? "127.0.0.1" : host;
  addrinfo hints{}, *found = nullptr;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  if (::getaddrinfo(numeric.c_str(), std::to_string(port).c_str(), &hints, &found) != 0)
    return std::nullopt;
  Target target{.length = found->ai_addrlen, .name = numeric + " port " + std::to_string(port)};
  std::memcpy(&target.address, found->ai_addr, found->ai_addrlen);
  ::freeaddrinfo(found);
  return target;
}

}  // namespace

std::optional<std::string> find_illness(const std::string& host, uint16_t port,
                                        std::chrono::milliseconds limit) {
  const auto until = Clock::now() + limit;
  constexpr std::string_view unix_prefix = "unix:";
  const std::optional<Target> target =
      host.starts_with(unix_prefix) ? unix_target(std::string_view(host).substr(unix_prefix.size()))
                                    : numeric_target(host, port);
  if (!target) return host + " is no IPv4 or IPv6 address, nor unix:PATH";
  const Socket socket{
      ::socket(target->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  const bool connecting =
      socket.fd != -1 && (::connect(socket.fd, reinterpret_cast<const sockaddr*>(&target->address),
                                    target->length) == 0 ||
                          errno == EINPROGRESS);
  const std::string& where = target->name;
  if (!connecting) return "no connection to " + where + ": " + reason();
  if (!wait(socket.fd, POLLOUT, until)) return where + " takes no connection in time";

  constexpr std::string_view request =
      "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  if (::send(socket.fd, request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size()))
    return "no connection to " + where + ": " + reason();

  constexpr std::string_view good = "HTTP/1.1 200 ";
  std::string answer;
  while (answer.size() < good.size()) {
    if (!wait(socket.fd, POLLIN, until)) return where + " does not answer in time";
    char bytes[512];
    const ssize_t count = ::recv(socket.fd, bytes, sizeof bytes, 0);
    if (count <= 0) return where + " ends the connection without an answer";
    answer.append(bytes, static_cast<size_t>(count));
  }
  if (answer.starts_with(good)) return std::nullopt;
  return where + " answers " + answer.substr(0, answer.find('\r'));
}

}  // namespace ringpost::ops
