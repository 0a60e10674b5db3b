#include "src/io/listen.h"

#include <cerrno>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

namespace ringpost::io {

namespace {
// What the kernel keeps for a peer that does not read; it takes the double of it, for its own
// bookkeeping. Left alone it grows to megabytes (tcp_wmem), which are the process's by cgroup.
constexpr int send_buffer_bytes = 128 * 1024;
}  // namespace

Result<int> listen_tcp(const Address& address, int backlog) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd == -1) return std::unexpected(Error::system(errno, "socket"));
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer_bytes, sizeof send_buffer_bytes);
  if (address.family() == AF_INET6) {  // one socket for both families
    const int off = 0;
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  const char* doing = "bind";
  if (::bind(fd, address.data(), address.length) == 0) {
    doing = "listen";
    if (::listen(fd, backlog) == 0) return fd;
  }
  const int error = errno;
  ::close(fd);
  return std::unexpected(Error::system(error, doing));
}

}  // namespace ringpost::io
