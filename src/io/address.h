// Where to connect to or to listen on: an address of TCP or of a UNIX socket. A value, without I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sys/socket.h>

namespace ringpost::io {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;

  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
  // "127.0.0.1:5432", "[::1]:5432", "/run/postgresql/.s.PGSQL.5432".
  std::string text() const;
  // Without the port: "127.0.0.1", "::1", and IPv4 as such though it came by an IPv6 socket; "unix"
  // of a UNIX socket.
  std::string host() const;
  // By what connections are counted of one client: an IPv4 address, or the /64 that an IPv6 one is
  // of, as who has one address there has all; nothing of a UNIX socket.
  std::optional<uint64_t> client_key() const;

  // A path that begins with '@' is a name in the abstract namespace. No value when the path does
  // not fit a sockaddr_un (107 bytes), or `host` is no numeric address.
  static std::optional<Address> unix_socket(std::string_view path);
  static std::optional<Address> numeric(const std::string& host, uint16_t port);
};

// Of a connected socket's other end, and of a socket itself; of none of both, an empty one.
Address peer_of(int fd);
Address address_of(int fd);

}  // namespace ringpost::io
