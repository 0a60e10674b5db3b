// What the kernel holds for a socket.
#pragma once

#include <cstddef>

namespace ringpost::io {

// Bytes of memory in its queues, both ways, with the kernel's own bookkeeping: what counts to the
// cgroup (SO_MEMINFO, Linux 4.12); and what it has room for of `unsent` bytes, which it will take
// next. 0 when it can't be told.
size_t socket_memory(int fd, size_t unsent);

}  // namespace ringpost::io
