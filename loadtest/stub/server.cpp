#include "loadtest/stub/server.h"

#include <chrono>

#include "loadtest/stub/session.h"
#include "src/io/sleep.h"
#include "src/io/stream.h"

namespace ringpost::stub {

namespace {

constexpr size_t most_sessions = 4096;
constexpr unsigned buffer_count = 256, buffer_bytes = 16 * 1024;
// As PostgreSQL waits: for ever. A peer that is gone is the kernel's to find.
constexpr io::Duration send_timeout = std::chrono::hours(24);
// When there is no descriptor for another connection.
constexpr std::chrono::milliseconds pause{50};
// PostgreSQL sends when its buffer of 8 KiB is full, whether or not it was told to.
constexpr size_t send_from = 8 * 1024;
// Above it, the client is waited for.
constexpr size_t most_unsent = 1 << 20;

}  // namespace

Server::Server(const Table& table, int listening_fd, int32_t first_process_id)
    : table_(table),
      buffers_(reactor_.ring(), 0, buffer_count, buffer_bytes),
      scope_(reactor_),
      acceptor_(reactor_, listening_fd),
      next_process_id_(first_process_id) {
  reactor_.add(buffers_);
}

io::Task<void> Server::accept() {
  for (;;) {
    auto accepting = acceptor_.next(most_sessions, {});
    const io::Result<int> fd = co_await accepting;
    if (fd)
      scope_.spawn(serve(*fd));
    else
      co_await io::Sleep(reactor_, pause, nullptr);
  }
}

io::Task<void> Server::serve(int fd) {
  Session session(table_, next_process_id_++);
  io::Stream stream(reactor_, buffers_, fd, send_timeout);
  for (auto next = Session::Next::wait; next != Session::Next::end;) {
    auto reading = stream.read({});
    const io::Result<std::string_view> bytes = co_await reading;
    if (!bytes) break;
    next = session.take(*bytes, stream.out());
    if (next != Session::Next::wait || stream.unsent() >= send_from) stream.send();
    if (stream.unsent() <= most_unsent) continue;
    auto draining = stream.drained(most_unsent, {});
    co_await draining;
  }
  auto draining = stream.drained(0, {});
  co_await draining;
  co_await stream.close();
}

}  // namespace ringpost::stub
