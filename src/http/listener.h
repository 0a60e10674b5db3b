// Listener: accepts the connections of one shard and owns their sessions.
//
// Out of descriptors or at the limit of connections it waits, and the kernel's backlog holds who
// comes next; at the limit the connection that is idle for longest is closed for them. run() ends
// after drain(), when every session has ended, or after cancel(), sooner.
#pragma once

#include <cstddef>

#include "src/http/context.h"
#include "src/io/acceptor.h"
#include "src/io/condition.h"
#include "src/io/list.h"
#include "src/io/scope.h"

namespace ringpost::http {

class Listener {
 public:
  // Takes over `listening_fd`. `context` outlives the listener.
  Listener(Context& context, int listening_fd);

  // Accepts and serves until drained or cancelled.
  io::Task<void> run();

  // Takes no new connection, lets every session answer what it was asked, and close. The shard ends
  // what is left by cancel().
  void drain();
  void cancel() { scope_.cancel(); }

  size_t connections() const { return connections_; }

 private:
  struct Connection;
  io::Task<void> serve(int fd);
  void count(int more);
  bool full() const;
  void make_room();

  Context& context_;
  io::Acceptor acceptor_;
  io::Scope scope_;
  io::Cancellation accepting_;
  io::List<Connection, Connection> open_;
  size_t connections_ = 0;
  io::Condition ended_;  // a connection has
  bool draining_ = false;
};

}  // namespace ringpost::http
