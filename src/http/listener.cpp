#include "src/http/listener.h"

#include <algorithm>

#include <unistd.h>

#include "src/http/session.h"
#include "src/io/address.h"
#include "src/io/sleep.h"
#include "src/io/usdt.h"

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

Listener::Listener(Context& context, std::span<const int> listening_fds)
    : context_(context), scope_(context.reactor()), accepting_(&scope_.cancellation()) {
  for (const int fd : listening_fds) doors_.emplace_back(context.reactor(), fd);
}

io::Task<void> Listener::run() {
  scope_.owned_by_running_task();
  for (const int fd : adopted_) greet(fd);
  for (size_t i = 1; i < doors_.size(); ++i) scope_.spawn(accept(doors_[i]));
  co_await accept(doors_.front());
  co_await scope_.join();
}

io::Task<void> Listener::accept(Door& door) {
  io::Acceptor& acceptor = door.acceptor;
  while (!accepting_.requested()) {
    if (full()) {
      const io::Result<void> arrived = co_await acceptor.arrival({io::never, &accepting_});
      while (arrived && full() && !accepting_.requested()) {
        make_room();
        // Who is here may become idle meanwhile: that is looked at again after the pause.
        auto room =
            door.ended.wait(context_.reactor(), {context_.reactor().now() + pause, &accepting_},
                            [this] { return !full(); });
        co_await room;
      }
      continue;
    }
    auto accepting = acceptor.next(room(), {io::never, &accepting_});
    const io::Result<int> fd = co_await accepting;
    if (fd)
      greet(*fd);
    else if (fd.error().kind == io::Error::Kind::system)
      co_await io::Sleep(context_.reactor(), pause, &accepting_);
  }
  // What the kernel has accepted for us is ours to answer.
  std::deque<int> left;
  co_await acceptor.close(left, backlog_);
  for (const int fd : left) greet(fd);
}

// Serves who has come, unless there are too many of its address.
void Listener::greet(int fd) {
  context_.metrics().accepted.add();
  RINGPOST_PROBE(accept, fd);
  std::optional<uint64_t> client;
  if (const size_t most = context_.limits().connections_of_address; most != 0) {
    client = io::peer_of(fd).client_key();
    if (client && of_client_[*client]++ >= most) {
      leave(*client);
      context_.metrics().refused.add();
      ::close(fd);
      return;
    }
  }
  scope_.spawn(serve(fd, client));
}

void Listener::leave(uint64_t client) {
  const auto at = of_client_.find(client);
  if (--at->second == 0) of_client_.erase(at);
}

io::Task<void> Listener::serve(int fd, std::optional<uint64_t> client) {
  count(1);
  Connection connection(context_, fd, scope_.cancellation());
  open_.push_back(connection);
  if (draining_) connection.session.drain();
  co_await connection.session.run();
  connection.unlink();
  if (client) leave(*client);
  count(-1);
  for (Door& door : doors_) door.ended.changed();
}

void Listener::count(int more) {
  connections_ += static_cast<size_t>(more);
  context_.metrics().connections.set(connections_);
  if (doors_.size() == 1) return;
  for (Door& door : doors_) door.acceptor.limit(room());
}

// How many connections each socket may take, at least one.
size_t Listener::room() const {
  const size_t most = context_.limits().connections;
  const size_t left = most > connections() ? most - connections() : 0;
  return std::max<size_t>(left / doors_.size(), 1);
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

void Listener::drain(Backlog backlog) {
  draining_ = true;
  backlog_ = backlog;
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
