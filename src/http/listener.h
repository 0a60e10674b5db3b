// Listener: accepts the connections of one shard, at one socket or several, and owns their
// sessions.
//
// Out of descriptors or at the limit of connections it waits, and the kernel's backlog holds who
// comes next; at the limit the connection that is idle for longest is closed for them. With several
// sockets there may be one more for each of the others. A client that has as many connections
// already as its address may (Limits::connections_of_address) is closed at once. run() ends after
// drain(), when every session has ended, or after cancel(), sooner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <unordered_map>

#include "src/http/context.h"
#include "src/io/acceptor.h"
#include "src/io/condition.h"
#include "src/io/list.h"
#include "src/io/scope.h"

namespace ringpost::http {

class Listener {
 public:
  // Takes over the listening sockets, at least one. `context` outlives the listener.
  Listener(Context& context, std::span<const int> listening_fds);
  Listener(Context& context, int listening_fd) : Listener(context, {&listening_fd, 1}) {}

  // Serves a socket that is connected already, which it takes over. Before run().
  void adopt(int connected_fd) { adopted_.push_back(connected_fd); }

  // Accepts and serves until drained or cancelled.
  io::Task<void> run();

  // Takes no new connection, lets every session answer what it was asked, and close. The shard ends
  // what is left by cancel(). Whoever waits in the backlogs is taken first, or left to another
  // process that listens there too.
  using Backlog = io::Acceptor::Backlog;
  void drain(Backlog backlog = Backlog::take);
  void cancel() { scope_.cancel(); }

  size_t connections() const { return connections_; }

 private:
  struct Connection;
  struct Door {
    Door(io::Reactor& reactor, int fd) : acceptor(reactor, fd) {}
    io::Acceptor acceptor;
    io::Condition ended;  // a connection has
  };
  io::Task<void> accept(Door& door);
  void greet(int fd);
  io::Task<void> serve(int fd, std::optional<uint64_t> client);
  void leave(uint64_t client);
  void count(int more);
  size_t room() const;
  bool full() const;
  void make_room();

  Context& context_;
  std::deque<Door> doors_;  // one a socket; they stay where they are
  io::Scope scope_;
  io::Cancellation accepting_;
  io::List<Connection, Connection> open_;
  size_t connections_ = 0;
  std::unordered_map<uint64_t, size_t> of_client_;  // connections, where they are limited
  std::deque<int> adopted_;
  bool draining_ = false;
  Backlog backlog_ = Backlog::take;
};

}  // namespace ringpost::http
