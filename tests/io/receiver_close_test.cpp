// A Receiver's close, begun in each of its states: what it does at once, and that no buffer is lost
// whatever the kernel still brings.
#include <functional>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "src/io/receiver.h"
#include "tests/io/all_buffers.h"
#include "tests/support/reactor.h"
#include "tests/support/sockets.h"

namespace ringpost::io {
namespace {

using namespace std::chrono_literals;
using State = Receiver::State;
using tests::run_on_reactor;
using tests::write_all;

constexpr unsigned count = 4, size = 8192;

// How a receiver gets into a state. What it reads it holds, as a reader that has turned to
// something else does.
struct Case {
  const char* name;
  State state;
  size_t bytes;  // that its peer sends: more than the buffers hold starve it
  bool reading;  // when they come: they are queued in buffers, else copied out
  State after;   // of begin_close()
};
constexpr Case cases[] = {
    {"idle", State::idle, 0, false, State::closed},
    {"armed", State::armed, 0, false, State::closing},
    {"armed, with bytes copied out", State::armed, 100, false, State::closing},
    {"armed, with one run held", State::armed, 100, true, State::closing},
    {"armed, with runs queued behind it", State::armed, 3 * size, true, State::closing},
    {"pausing", State::pausing, 2 * size, false, State::closing},
    {"paused", State::idle, 2 * size, false, State::closed},
    {"starved", State::starved, 5 * size, true, State::closed},
};

Task<void> reach(const Case& to, Reactor& reactor, Receiver& receiver, int theirs) {
  if (to.reading) {
    write_all(theirs, std::string(to.bytes, 'x'));
    auto reading = receiver.read({reactor.now() + 2s});
    const auto bytes = co_await reading;
    EXPECT_TRUE(bytes.has_value());
  } else if (to.state != State::idle || to.bytes != 0) {
    auto reading = receiver.read({reactor.now() + 1ms});
    const auto bytes = co_await reading;
    EXPECT_FALSE(bytes.has_value());
    write_all(theirs, std::string(to.bytes, 'x'));
    if (to.bytes >= Receiver::most_overflow) {
      const bool pausing =
          co_await tests::turns_until(reactor, [&] { return receiver.state() == State::pausing; });
      EXPECT_TRUE(pausing);
    } else {
      for (int i = 0; i < 3; ++i) co_await tests::turn(reactor);
    }
  }
  const bool reached =
      co_await tests::turns_until(reactor, [&] { return receiver.state() == to.state; });
  EXPECT_TRUE(reached);
}

// `meanwhile`: what the peer does between begin_close() and the kernel's answer. `before_cancel`:
// the kernel has noted that before it is asked to give up the request.
void close_in_each_state(bool before_cancel, const std::function<void(int& theirs)>& meanwhile) {
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    run_on_reactor([&](Reactor& reactor) -> Task<void> {
      tests::Buffers buffers(reactor, count, size);
      auto [ours, theirs] = tests::socket_pair();
      Receiver receiver(reactor, buffers, ours);
      co_await reach(one, reactor, receiver, theirs);
      receiver.begin_close();
      EXPECT_EQ(receiver.state(), one.after);
      meanwhile(theirs);
      if (before_cancel) io_uring_get_events(&reactor.ring().raw());
      auto closed = receiver.closed();
      co_await closed;
      EXPECT_EQ(receiver.state(), State::closed);
      for (int i = 0; i < 3; ++i) co_await tests::turn(reactor);
      EXPECT_EQ(receiver.state(), State::closed) << "nothing comes any more, and nothing arms it";
      ::close(ours);
      if (theirs != -1) ::close(theirs);
      co_await tests::expect_all_buffers(reactor, buffers, count, size);
    });
  }
}

TEST(ReceiverClose, InEachState) {
  close_in_each_state(false, [](int&) {});
}

TEST(ReceiverClose, WhileBytesArrive) {
  for (const bool before : {false, true})
    close_in_each_state(before, [](int& theirs) { (void)!::write(theirs, "more", 4); });
}

TEST(ReceiverClose, WhileThePeerEnds) {
  for (const bool before : {false, true})
    close_in_each_state(before, [](int& theirs) { ::close(std::exchange(theirs, -1)); });
}

TEST(ReceiverClose, OfOneThatHasEnded) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    tests::Buffers buffers(reactor);
    const auto [ours, theirs] = tests::socket_pair();
    Receiver receiver(reactor, buffers, ours);
    ::close(theirs);
    auto reading = receiver.read({});
    const auto bytes = co_await reading;
    EXPECT_FALSE(bytes.has_value());
    receiver.begin_close();
    EXPECT_EQ(receiver.state(), State::closed);
    ::close(ours);
  });
}

// Its place in the queue is given up: those behind it get the buffers.
TEST(ReceiverClose, OfOneThatStarvesLeavesTheQueue) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    tests::Buffers buffers(reactor, 1, 16);
    const auto [a, to_a] = tests::socket_pair();
    const auto [b, to_b] = tests::socket_pair();
    const auto [c, to_c] = tests::socket_pair();
    Receiver holding(reactor, buffers, a), leaving(reactor, buffers, b),
        staying(reactor, buffers, c);
    write_all(to_a, std::string(16, 'a'));
    auto reading = holding.read({});
    EXPECT_TRUE((co_await reading).has_value());
    write_all(to_b, "b");
    write_all(to_c, "c");
    for (Receiver* one : {&leaving, &staying}) {
      auto starving = one->read({reactor.now() + 5ms});
      EXPECT_FALSE((co_await starving).has_value());
      EXPECT_EQ(one->state(), State::starved);
    }
    leaving.begin_close();
    EXPECT_EQ(leaving.state(), State::closed);
    holding.release();
    auto last = staying.read({reactor.now() + 2s});
    const auto bytes = co_await last;
    EXPECT_EQ(bytes.value_or("nothing"), "c");
    for (Receiver* one : {&holding, &staying}) {
      one->begin_close();
      auto closed = one->closed();
      co_await closed;
    }
    for (const int fd : {a, to_a, b, to_b, c, to_c}) ::close(fd);
  });
}

}  // namespace
}  // namespace ringpost::io
