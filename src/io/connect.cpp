#include "src/io/connect.h"

#include <cerrno>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "src/io/awaited_operation.h"

namespace ringpost::io {

Task<Result<int>> connect(Reactor& reactor, Address address, Until until) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd == -1) co_return std::unexpected(Error::system(errno, "socket"));
  if (address.family() != AF_UNIX) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
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
