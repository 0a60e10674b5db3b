#include "src/io/address.h"

#include <cstddef>
#include <cstring>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

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

std::string Address::host() const {
  if (family() == AF_UNIX || family() == AF_UNSPEC) return "unix";
  char text[INET6_ADDRSTRLEN] = "?";
  const auto& six = reinterpret_cast<const sockaddr_in6&>(storage);
  if (family() == AF_INET)
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(storage).sin_addr, text, sizeof text);
  else if (IN6_IS_ADDR_V4MAPPED(&six.sin6_addr))
    inet_ntop(AF_INET, &six.sin6_addr.s6_addr[12], text, sizeof text);
  else
    inet_ntop(AF_INET6, &six.sin6_addr, text, sizeof text);
  return text;
}

std::optional<uint64_t> Address::client_key() const {
  // ::ffff:0:0/96 has no /64 of its own that a client could be of.
  constexpr uint64_t four = 0xffffULL << 32;
  const auto of_four = [](const void* bytes) {
    uint32_t address = 0;
    std::memcpy(&address, bytes, sizeof address);
    return four | ntohl(address);
  };
  if (family() == AF_INET) return of_four(&reinterpret_cast<const sockaddr_in&>(storage).sin_addr);
  if (family() != AF_INET6) return std::nullopt;
  const auto& six = reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&six)) return of_four(&six.s6_addr[12]);
  uint64_t prefix = 0;
  for (size_t i = 0; i < 8; ++i) prefix = prefix << 8 | six.s6_addr[i];
  return prefix;
}

Address peer_of(int fd) {
  Address address;
  address.length = sizeof address.storage;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.length) != 0)
    return {};
  return address;
}

Address address_of(int fd) {
  Address address;
  address.length = sizeof address.storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.length) != 0)
    return {};
  return address;
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

}  // namespace ringpost::io
