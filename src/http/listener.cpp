#include "src/http/listener.h"

#include <deque>

#include "src/http/session.h"

namespace ringpost::http {

namespace {
// How long accepting pauses when there is no descriptor or no room for another connection.
constexpr std::chrono::milliseconds pause{50};
}  // namespace

struct Listener::Connection : io::ListNode<Connection> {
  Connection(Service& service, int fd, io::Cancellation& cancellation)
      : session(service, fd, cancellation) {}
  Session session;
};

Listener::Listener(Service& service, int listening_fd)
    : service_(service),
      acceptor_(service.reactor(), listening_fd),
      scope_(service.reactor()),
      accepting_(&scope_.cancellation()) {}

io::Task<void> Listener::run() {
  while (!accepting_.requested()) {
    if (connections() >= service_.limits().connections) {
      co_await io::Sleep(service_.reactor(), pause, &accepting_);
      continue;
    }
    auto accepting = acceptor_.next(service_.limits().connections - connections(),
                                    {io::never, &accepting_});
    const io::Result<int> fd = co_await accepting;
    if (fd)
      scope_.spawn(serve(*fd));
    else if (fd.error().kind == io::Error::Kind::system)
      co_await io::Sleep(service_.reactor(), pause, &accepting_);
  }
  // What the kernel has accepted for us is ours to answer.
  std::deque<int> left;
  co_await acceptor_.close(left);
  for (const int fd : left) scope_.spawn(serve(fd));
  co_await scope_.join();
}

io::Task<void> Listener::serve(int fd) {
  Connection connection(service_, fd, scope_.cancellation());
  open_.push_back(connection);
  if (draining_) connection.session.drain();
  co_await connection.session.run();
  connection.unlink();
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
