#include "src/io/socket_memory.h"

#include <algorithm>
#include <cstdint>

#include <linux/sock_diag.h>
#include <sys/socket.h>

namespace ringpost::io {

size_t socket_memory(int fd, size_t unsent) {
  uint32_t of[SK_MEMINFO_VARS] = {};
  socklen_t length = sizeof of;
  if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, of, &length) != 0) return 0;
  const size_t sending = of[SK_MEMINFO_WMEM_QUEUED], most = of[SK_MEMINFO_SNDBUF];
  return of[SK_MEMINFO_RMEM_ALLOC] + sending + std::min(unsent, most - std::min(sending, most));
}

}  // namespace ringpost::io
