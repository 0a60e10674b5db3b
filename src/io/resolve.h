// Host names looked up without stopping the shard: getaddrinfo() blocks, so it runs on a thread of
// its own. One that has not answered by the deadline is left to end by itself; what it writes to is
// shared with it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/io/address.h"
#include "src/io/error.h"
#include "src/io/reactor.h"
#include "src/io/task.h"

namespace ringpost::io {

// The addresses of a host name in the resolver's order; of a numeric one itself, at once. Errors:
// resolve, timed_out, cancelled, system.
Task<Result<std::vector<Address>>> resolve(Reactor& reactor, std::string host, uint16_t port,
                                           Until until);

}  // namespace ringpost::io
