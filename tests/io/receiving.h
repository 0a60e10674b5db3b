// A Receiver whose peer is the test.
#pragma once

#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <unistd.h>

#include "src/io/receiver.h"
#include "src/io/scope.h"
#include "tests/support/reactor.h"
#include "tests/support/sockets.h"

namespace ringpost::tests {

using namespace std::chrono_literals;

struct Receiving {
  explicit Receiving(io::Reactor& on, io::BufferGroup& from,
                     std::pair<int, int> sockets = socket_pair())
      : reactor(on), ours(sockets.first), theirs(sockets.second), receiver(on, from, ours) {}

  io::Task<bool> becomes(io::Receiver::State state) {
    return turns_until(reactor, [this, state] { return receiver.state() == state; });
  }
  // Armed, with nobody who reads.
  io::Task<void> arm() {
    auto reading = receiver.read({reactor.now() + 1ms});
    const auto bytes = co_await reading;
    EXPECT_EQ(bytes.error().kind, io::Error::Kind::timed_out);
    EXPECT_EQ(receiver.state(), io::Receiver::State::armed);
  }
  // The next bytes, or why there are none.
  io::Task<std::string> read(io::Until until) {
    auto reading = receiver.read(until);
    const auto bytes = co_await reading;
    co_return bytes ? std::string(*bytes) : "|" + bytes.error().message();
  }
  io::Task<std::string> read() { return read({reactor.now() + 2s}); }
  io::Task<void> read_into(std::string& text, io::Until until) { text = co_await read(until); }
  io::Task<void> close() {
    receiver.begin_close();
    auto closed = receiver.closed();
    co_await closed;
    EXPECT_EQ(receiver.state(), io::Receiver::State::closed);
    ::close(ours);
    if (theirs != -1) ::close(theirs);
  }
  void end_of_peer() { ::close(std::exchange(theirs, -1)); }

  io::Reactor& reactor;
  int ours, theirs;
  io::Receiver receiver;
};

}  // namespace ringpost::tests
