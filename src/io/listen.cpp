#include "src/io/listen.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <random>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ringpost::io {

namespace {
// What the kernel keeps for a peer that does not read; it takes the double of it, for its own
// bookkeeping. Left alone it grows to megabytes (tcp_wmem), which are the process's by cgroup.
constexpr int send_buffer_bytes = 128 * 1024;

void set_inherited_options(int fd, int family) {
  const int on = 1;
  if (family != AF_UNIX) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer_bytes, sizeof send_buffer_bytes);
}

std::unexpected<Error> failed(int fd, const char* doing) {
  const int error = errno;
  if (fd != -1) ::close(fd);
  return std::unexpected(Error::system(error, doing));
}

// 0 when a new socket may take the place of what is at `address`, else why not.
int find_occupant(const Address& address, const char* path, int type) {
  struct stat file{};
  if (::lstat(path, &file) != 0) return errno == ENOENT ? 0 : errno;
  if (!S_ISSOCK(file.st_mode)) return EEXIST;
  const int probe = ::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe == -1) return errno;
  const bool refused =
      ::connect(probe, address.data(), address.length) != 0 && errno == ECONNREFUSED;
  ::close(probe);
  return refused ? 0 : EADDRINUSE;
}
// Binds `fd` to a file beside `path` that does not exist yet; its name, or nothing with errno. No
// longer than the path's own name, so that it fits where that fits.
std::string bind_beside(int fd, const std::string& path) {
  constexpr std::string_view characters = "0123456789abcdefghijklmnopqrstuvwxyz";
  const size_t folder = path.rfind('/') + 1;
  const size_t length = std::min<size_t>(path.size() - folder, 12);
  std::random_device random;
  for (int tries = 0; tries < 100; ++tries) {
    std::string made = path.substr(0, folder);
    for (size_t i = 0; i < length; ++i) made += characters[random() % characters.size()];
    const auto address = Address::unix_socket(made);
    if (address && ::bind(fd, address->data(), address->length) == 0) return made;
    if (errno != EADDRINUSE) break;
  }
  return "";
}
}  // namespace

Result<int> listen_tcp(const Address& address, int backlog) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd == -1) return std::unexpected(Error::system(errno, "socket"));
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  set_inherited_options(fd, address.family());
  if (address.family() == AF_INET6) {  // one socket for both families
    const int off = 0;
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  const char* doing = "bind";
  if (::bind(fd, address.data(), address.length) == 0) {
    doing = "listen";
    if (::listen(fd, backlog) == 0) return fd;
  }
  return failed(fd, doing);
}

Result<int> listen_unix(const Address& address, int type, mode_t mode, int backlog) {
  const int fd = ::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd == -1) return failed(fd, "socket");
  set_inherited_options(fd, AF_UNIX);
  const std::string path = address.text();
  if (path.starts_with('@')) {  // has no file, so nothing that is stale
    if (::bind(fd, address.data(), address.length) != 0) return failed(fd, "bind");
    if (::listen(fd, backlog) != 0) return failed(fd, "listen");
    return fd;
  }
  if (const int error = find_occupant(address, path.c_str(), type); error != 0) {
    errno = error;
    return failed(fd, "bind");
  }
  // Made beside its place and moved there when it listens: who connects finds the old one, or this
  // one with its mode.
  const std::string made = bind_beside(fd, path);
  if (made.empty()) return failed(fd, "bind");
  const char* doing = "chmod";
  if (::chmod(made.c_str(), mode) == 0) {
    doing = "listen";
    if (::listen(fd, backlog) == 0) {
      doing = "rename";
      if (std::rename(made.c_str(), path.c_str()) == 0) return fd;
    }
  }
  const int error = errno;
  ::unlink(made.c_str());
  errno = error;
  return failed(fd, doing);
}

Result<Address> adopt_listening(int fd) {
  int listening = 0, type = 0;
  socklen_t size = sizeof listening;
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0)
    return failed(-1, "getsockopt(SO_ACCEPTCONN)");
  size = sizeof type;
  getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
  const Address address = address_of(fd);
  const int family = address.family();
  const bool served = family == AF_INET || family == AF_INET6 || family == AF_UNIX;
  if (listening == 0 || type != SOCK_STREAM || !served) {
    errno = listening == 0 ? EINVAL : type != SOCK_STREAM ? ESOCKTNOSUPPORT : EAFNOSUPPORT;
    return failed(-1, "listen");
  }
  const int flags = fcntl(fd, F_GETFL);
  if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 ||
      fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
    return failed(-1, "fcntl");
  set_inherited_options(fd, family);
  return address;
}

}  // namespace ringpost::io
