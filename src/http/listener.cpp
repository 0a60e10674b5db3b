#include "src/http/listener.h"

#include <deque>

#include "src/http/session.h"
#include "src/io/sleep.h"

namespace ringpost::http {

namespace {
// How long accepting pauses when there is no descriptor for another connection; and how often it is
// looked, while somebody waits for room, whether a connection has become idle.
constexpr std::chrono::milliseconds pause{50};
// Whoever is idle for less may have a request on its way: between two of them, or when just
// accepted.
constexpr std::chrono::milliseconds least_idle{250};
}  // namespace

struct Listener::Connection : io::ListNode<Connection> {
  Connection(Context& context, int fd, io::Cancellation& cancellation)
      : session(context, fd, cancellation) {}
  Session session;
};

Listener::Listener(Context& context, int listening_fd)
    : context_(context),
      acceptor_(context.reactor(), listening_fd),
      scope_(context.reactor()),
      accepting_(&scope_.cancellation()) {}

io::Task<void> Listener::run() {
  scope_.owned_by_running_task();
  while (!accepting_.requested()) {
    if (full()) {
      const io::Result<void> arrived = co_await acceptor_.arrival({io::never, &accepting_});
      while (arrived && full() && !accepting_.requested()) {
        make_room();
        // Who is here may become idle meanwhile: that is looked at again after the pause.
        auto room = ended_.wait(context_.reactor(), {context_.reactor().now() + pause, &accepting_},
                                [this] { return !full(); });
        co_await room;
      }
      continue;
    }
    auto accepting =
        acceptor_.next(context_.limits().connections - connections(), {io::never, &accepting_});
    const io::Result<int> fd = co_await accepting;
    if (fd)
      scope_.spawn(serve(*fd));
    else if (fd.error().kind == io::Error::Kind::system)
      co_await io::Sleep(context_.reactor(), pause, &accepting_);
  }
  // What the kernel has accepted for us is ours to answer.
  std::deque<int> left;
  co_await acceptor_.close(left);
  for (const int fd : left) scope_.spawn(serve(fd));
  co_await scope_.join();
}

io::Task<void> Listener::serve(int fd) {
  count(1);
  context_.metrics().accepted.add();
  Connection connection(context_, fd, scope_.cancellation());
  open_.push_back(connection);
  if (draining_) connection.session.drain();
  co_await connection.session.run();
  connection.unlink();
  count(-1);
  ended_.changed();
}

void Listener::count(int more) {
  connections_ += static_cast<size_t>(more);
  context_.metrics().connections.set(connections_);
}

bool Listener::full() const {
  return connections() >= context_.limits().connections;
}

// Ends the connection that is idle for longest, unless one is leaving already.
void Listener::make_room() {
  io::Time longest = context_.reactor().now() - least_idle;
  Connection* chosen = nullptr;
  bool leaving = false;
  io::List<Connection, Connection> all;
  all.take(open_);
  while (!all.empty()) {
    Connection& connection = all.pop_front();
    open_.push_back(connection);
    leaving |= connection.session.draining();
    const io::Time since = connection.session.idle_since();
    if (since > longest) continue;
    longest = since;
    chosen = &connection;
  }
  if (leaving || chosen == nullptr) return;
  chosen->session.drain();
}

void Listener::drain() {
  draining_ = true;
  accepting_.request();
  io::List<Connection, Connection> all;
  all.take(open_);
  while (!all.empty()) {
    Connection& connection = all.pop_front();
    open_.push_back(connection);
    connection.session.drain();
  }
}

}  // namespace ringpost::http
