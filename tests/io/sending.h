// A Sender whose peer is the test.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>
#include <unistd.h>

#include "src/io/receiver.h"
#include "src/io/scope.h"
#include "src/io/sender.h"
#include "tests/support/reactor.h"
#include "tests/support/sockets.h"

namespace ringpost::tests {

using namespace std::chrono_literals;

// More than any socket takes at once.
inline const std::string much(4 << 20, 'x');

// A sender, the receiver that it tells of its failure, and the test as their peer.
struct Sending {
  explicit Sending(io::Reactor& on, io::Duration timeout = 10s,
                   std::pair<int, int> sockets = socket_pair())
      : reactor(on),
        buffers(on),
        ours(sockets.first),
        theirs(sockets.second),
        receiver(on, buffers, ours),
        sender(receiver, timeout) {}

  void send(std::string_view bytes) {
    sender.out().append(bytes);
    sender.send();
  }
  io::Task<bool> becomes(io::Sender::State state) {
    return turns_until(reactor, [this, state] { return sender.state() == state; });
  }
  // What `drained` ends with: empty when it is.
  io::Task<std::string> drained(size_t bytes, io::Until until) {
    auto draining = sender.drained(bytes, until);
    const io::Result<void> result = co_await draining;
    co_return result ? "" : result.error().message();
  }
  io::Task<void> drained_into(std::string& text, size_t bytes, io::Until until) {
    text = co_await drained(bytes, until);
  }
  // Everything that comes until `bytes` of it have, or two seconds have passed.
  io::Task<std::string> taken(size_t bytes) {
    std::string text;
    const io::Time end = reactor.now() + 2s;
    while (text.size() < bytes && reactor.now() < end) {
      const std::string more = read_available(theirs);
      text += more;
      if (more.empty()) co_await io::Sleep(reactor, 1ms, nullptr);
    }
    co_return text;
  }
  io::Task<void> close() {
    sender.begin_close();
    co_await closed();
  }
  io::Task<void> closed() {
    auto sent = sender.closed();
    co_await sent;
    EXPECT_EQ(sender.state(), io::Sender::State::closed);
    receiver.begin_close();
    auto received = receiver.closed();
    co_await received;
    ::close(ours);
    if (theirs != -1) ::close(theirs);
  }
  void end_of_peer() { ::close(std::exchange(theirs, -1)); }

  io::Reactor& reactor;
  Buffers buffers;
  int ours, theirs;
  io::Receiver receiver;
  io::Sender sender;
};

}  // namespace ringpost::tests
