#include "src/io/connect.h"

#include <algorithm>
#include <cerrno>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "src/io/awaited_operation.h"

namespace ringpost::io {

namespace {

void set(int fd, int level, int option, long long value) {
  const int number = static_cast<int>(std::clamp(value, 0LL, 0x7fffffffLL));
  setsockopt(fd, level, option, &number, sizeof number);  // the kernel's own stays where it refuses
}

void set(int fd, const TcpOptions& options) {
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (options.user_timeout) set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, options.user_timeout->count());
  if (!options.keepalives) return;
  set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  if (options.keepalive_idle) set(fd, IPPROTO_TCP, TCP_KEEPIDLE, options.keepalive_idle->count());
  if (options.keepalive_interval)
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, options.keepalive_interval->count());
  if (options.keepalive_count) set(fd, IPPROTO_TCP, TCP_KEEPCNT, *options.keepalive_count);
}

}  // namespace

Task<Result<int>> connect(Reactor& reactor, Address address, Until until, TcpOptions options) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd == -1) co_return std::unexpected(Error::system(errno, "socket"));
  if (address.family() != AF_UNIX) set(fd, options);
  auto connecting = AwaitedOperation(reactor, until, "connect", [&](io_uring_sqe* entry) {
    io_uring_prep_connect(entry, fd, address.data(), address.length);
  });
  const Result<int> connected = co_await connecting;
  if (!connected) {
    ::close(fd);
    co_return std::unexpected(connected.error());
  }
  co_return fd;
}

}  // namespace ringpost::io
