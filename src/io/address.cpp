#include "src/io/address.h"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "src/io/once.h"

namespace ringpost::io {

std::string Address::text() const {
  if (family() == AF_UNIX) {
    const char* path = reinterpret_cast<const sockaddr_un&>(storage).sun_path;
    if (*path != '\0') return path;
    return "@" + std::string(path + 1, length - offsetof(sockaddr_un, sun_path) - 1);
  }
  char host[NI_MAXHOST], port[NI_MAXSERV];
  if (getnameinfo(data(), length, host, sizeof host, port, sizeof port,
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return "?";
  std::string text(family() == AF_INET6 ? "[" : "");
  text.append(host).append(family() == AF_INET6 ? "]:" : ":").append(port);
  return text;
}

std::optional<Address> Address::unix_socket(std::string_view path) {
  Address address;
  auto& name = reinterpret_cast<sockaddr_un&>(address.storage);
  if (path.size() >= sizeof name.sun_path) return std::nullopt;
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.data(), path.size());
  // An abstract name begins with a zero byte and has none at its end (unix(7)).
  const bool abstract = path.starts_with('@');
  if (abstract) name.sun_path[0] = '\0';
  address.length =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 0 : 1));
  return address;
}

std::optional<Address> Address::numeric(const std::string& host, uint16_t port) {
  Address address;
  auto& four = reinterpret_cast<sockaddr_in&>(address.storage);
  if (inet_pton(AF_INET, host.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    address.length = sizeof four;
    return address;
  }
  auto& six = reinterpret_cast<sockaddr_in6&>(address.storage);
  if (inet_pton(AF_INET6, host.c_str(), &six.sin6_addr) == 1) {
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    address.length = sizeof six;
    return address;
  }
  return std::nullopt;
}

namespace {

// Shared by the coroutine and the thread that looks the name up: either may be done with it first.
struct Lookup {
  std::string host, port;
  int done = -1;  // eventfd
  int result = 0;
  std::vector<Address> addresses;

  ~Lookup() {
    if (done != -1) ::close(done);
  }

  void run() {
    addrinfo hints{}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    result = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
      Address address;
      std::memcpy(&address.storage, one->ai_addr, one->ai_addrlen);
      address.length = one->ai_addrlen;
      addresses.push_back(address);
    }
    if (found != nullptr) freeaddrinfo(found);
    eventfd_write(done, 1);
  }
};

}  // namespace

Task<Result<std::vector<Address>>> resolve(Reactor& reactor, std::string host, uint16_t port,
                                           Until until) {
  if (const auto address = Address::numeric(host, port)) co_return std::vector<Address>{*address};
  auto lookup = std::make_shared<Lookup>();
  lookup->host = std::move(host);
  lookup->port = std::to_string(port);
  lookup->done = eventfd(0, EFD_CLOEXEC);
  if (lookup->done == -1) co_return std::unexpected(Error::system(errno, "eventfd"));
  try {
    std::thread([lookup] { lookup->run(); }).detach();
  } catch (const std::system_error& error) {
    co_return std::unexpected(Error::system(error.code().value(), "thread for getaddrinfo"));
  }
  uint64_t count = 0;
  auto read = Once(reactor, until, "resolve", [&](io_uring_sqe* entry) {
    io_uring_prep_read(entry, lookup->done, &count, sizeof count, 0);
  });
  const Result<int> finished = co_await read;
  if (!finished) co_return std::unexpected(finished.error());
  if (lookup->result != 0)
    co_return std::unexpected(Error{Error::Kind::resolve, lookup->result, "resolve"});
  co_return std::move(lookup->addresses);
}

Task<Result<int>> connect(Reactor& reactor, Address address, Until until) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd == -1) co_return std::unexpected(Error::system(errno, "socket"));
  if (address.family() != AF_UNIX) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  auto connecting = Once(reactor, until, "connect", [&](io_uring_sqe* entry) {
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
