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
