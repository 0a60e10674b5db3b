// Runs a coroutine on a reactor of its own until it has ended, for tests of what waits.
#pragma once

#include <cstdlib>
#include <functional>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

#include "src/io/address.h"
#include "src/io/awaited_operation.h"
#include "src/io/buffer_group.h"
#include "src/io/listen.h"
#include "src/io/reactor.h"
#include "src/io/sleep.h"
#include "src/io/task.h"

namespace ringpost::tests {

// `body` is kept alive until its coroutine has ended, so it may be a capturing lambda.
inline void run_on_reactor(const std::function<io::Task<void>(io::Reactor&)>& body) {
  io::Reactor reactor;
  reactor.run(body(reactor));
}

// Lets the reactor take one turn: what was prepared is submitted, what has come is handed over.
inline io::Task<void> turn(io::Reactor& reactor) {
  auto nothing = io::AwaitedOperation(reactor, {}, "nop",
                                      [](io_uring_sqe* entry) { io_uring_prep_nop(entry); });
  co_await nothing;
}

// Turn by turn until `reached`; false when it is not within a thousand.
inline io::Task<bool> turns_until(io::Reactor& reactor, std::function<bool()> reached) {
  for (int i = 0; i < 1000 && !reached(); ++i) co_await turn(reactor);
  co_return reached();
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

// Where a socket of port 0 really listens.
inline io::Address bound_to(int fd) {
  io::Address address;
  address.length = sizeof address.storage;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.length);
  return address;
}

// Two connected sockets; whoever takes an end closes it. SOCK_SEQPACKET keeps the borders of sends.
inline std::pair<int, int> socket_pair(int type = SOCK_STREAM) {
  int ends[2];
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) std::abort();
  return {ends[0], ends[1]};
}

// The same over TCP, where closing with bytes unread resets the connection: the accepted end, then
// the connecting one.
inline std::pair<int, int> tcp_pair() {
  const int listening = io::listen_tcp(*io::Address::numeric("127.0.0.1", 0), 1).value();
  const io::Address address = bound_to(listening);
  const int connecting = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(connecting, address.data(), address.length) != 0) std::abort();
  const int accepted = ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  ::close(listening);
  return {accepted, connecting};
}

}  // namespace ringpost::tests
