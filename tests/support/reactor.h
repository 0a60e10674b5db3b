// Runs a coroutine on a reactor of its own until it has ended, for tests of what waits.
#pragma once

#include <functional>
#include <utility>

#include <sys/socket.h>

#include "src/io/buffer_group.h"
#include "src/io/reactor.h"
#include "src/io/task.h"

namespace ringpost::tests {

// `body` is kept alive until its coroutine has ended, so it may be a capturing lambda.
inline void run_on_reactor(const std::function<io::Task<void>(io::Reactor&)>& body) {
  io::Reactor reactor;
  reactor.run(body(reactor));
}

// A reactor's buffer group, published each turn for as long as it lives.
class Buffers {
 public:
  explicit Buffers(io::Reactor& reactor, unsigned count = 16, unsigned size = 4096, uint16_t id = 7)
      : reactor_(reactor), group_(reactor.ring(), id, count, size) {
    reactor_.add(group_);
  }
  ~Buffers() { reactor_.remove(group_); }
  operator io::BufferGroup&() { return group_; }

 private:
  io::Reactor& reactor_;
  io::BufferGroup group_;
};

// Two connected sockets; whoever takes an end closes it.
inline std::pair<int, int> socket_pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) std::abort();
  return {ends[0], ends[1]};
}

}  // namespace ringpost::tests
