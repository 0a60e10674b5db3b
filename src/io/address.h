// Where to connect to or to listen on; and host names looked up without stopping the shard.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/socket.h>

#include "src/io/error.h"
#include "src/io/reactor.h"
#include "src/io/task.h"

namespace ringpost::io {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;

  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
  // "127.0.0.1:5432", "[::1]:5432", "/run/postgresql/.s.PGSQL.5432".
  std::string text() const;

  // A path that begins with '@' is a name in the abstract namespace. No value when the path does
  // not fit a sockaddr_un (107 bytes), or `host` is no numeric address.
  static std::optional<Address> unix_socket(std::string_view path);
  static std::optional<Address> numeric(const std::string& host, uint16_t port);
};

// The addresses of a host name in the resolver's order. getaddrinfo() blocks, so it runs on a
// thread of its own; one that has not answered by the deadline is left to end by itself.
Task<Result<std::vector<Address>>> resolve(Reactor& reactor, std::string host, uint16_t port,
                                           Until until);

// A socket connected to `address`, TCP_NODELAY set where it has one. The caller owns the
// descriptor.
Task<Result<int>> connect(Reactor& reactor, Address address, Until until);

}  // namespace ringpost::io
