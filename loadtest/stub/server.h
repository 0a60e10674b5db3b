// Server: what waits of the stub on one thread: a reactor, the listening socket, a Session for each
// connection. Threads share the table and nothing else.
#pragma once

#include <cstdint>

#include "loadtest/stub/table.h"
#include "src/io/acceptor.h"
#include "src/io/buffer_group.h"
#include "src/io/reactor.h"
#include "src/io/scope.h"

namespace ringpost::stub {

class Server {
 public:
  // `table` outlives it; `listening_fd` becomes its own. Process ids of sessions count up from
  // `first_process_id`. Throws io::RingError.
  Server(const Table& table, int listening_fd, int32_t first_process_id);

  // For ever: there is nothing to drain, so a signal may end the process at any time.
  void run() { reactor_.run(accept()); }

 private:
  io::Task<void> accept();
  io::Task<void> serve(int fd);

  const Table& table_;
  io::Reactor reactor_;
  io::BufferGroup buffers_;
  io::Scope scope_;
  io::Acceptor acceptor_;
  int32_t next_process_id_;
};

}  // namespace ringpost::stub
