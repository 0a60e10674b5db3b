// Listening sockets, one a shard: the kernel spreads connections over them (SO_REUSEPORT).
#pragma once

#include "src/io/address.h"
#include "src/io/error.h"

namespace ringpost::io {

// A bound and listening TCP socket with SO_REUSEPORT, TCP_NODELAY and a bounded send buffer, which
// accepted sockets inherit. An IPv6 one takes IPv4 as well. The caller owns it.
Result<int> listen_tcp(const Address& address, int backlog);

}  // namespace ringpost::io
