#include "src/io/socket_memory.h"

#include <cstdint>

#include <linux/sock_diag.h>
#include <sys/socket.h>

namespace ringpost::io {

size_t socket_memory(int fd) {
  uint32_t of[SK_MEMINFO_VARS] = {};
  socklen_t length = sizeof of;
  if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, of, &length) != 0) return 0;
  return size_t{of[SK_MEMINFO_WMEM_QUEUED]} + of[SK_MEMINFO_RMEM_ALLOC];
}

}  // namespace ringpost::io
