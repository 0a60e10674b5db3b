// A Sender's close, begun in each of its states.
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "src/io/sender.h"
#include "tests/io/sending.h"

namespace ringpost::io {
namespace {

using namespace std::chrono_literals;
using State = Sender::State;
using tests::much;
using tests::read_available;
using tests::run_on_reactor;
using tests::Sending;

TEST(SenderClose, OfOneThatIsIdleIsDoneAtOnce) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Sending s(reactor);
    s.sender.begin_close();
    EXPECT_EQ(s.sender.state(), State::closed);
    co_await s.closed();
  });
}

TEST(SenderClose, WhatWasToLeaveAtTheEndOfTheTurnDoesNot) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Sending s(reactor);
    s.send("never");
    s.sender.begin_close();
    EXPECT_EQ(s.sender.state(), State::closed);
    EXPECT_EQ(s.sender.unsent(), 0u);
    for (int i = 0; i < 3; ++i) co_await tests::turn(reactor);
    EXPECT_EQ(read_available(s.theirs), "");
    co_await s.closed();
  });
}

// Whatever the kernel's answer is, it queues nothing, and tells nobody of a failure.
enum class Meanwhile { nothing, peer_takes, peer_ends, peer_resets };

Task<void> close_on_its_way(Reactor& reactor, Meanwhile meanwhile, bool part_taken) {
  const bool tcp = meanwhile == Meanwhile::peer_resets;
  Sending s(reactor, 10s, tcp ? tests::tcp_pair() : tests::socket_pair());
  while (!part_taken && ::write(s.ours, much.data(), much.size()) > 0) {
  }
  s.send(much);
  EXPECT_TRUE(co_await s.becomes(State::flying));
  s.send("behind it");
  co_await tests::turn(reactor);
  s.sender.begin_close();
  EXPECT_EQ(s.sender.state(), State::closing);
  if (meanwhile == Meanwhile::peer_takes) (void)read_available(s.theirs);
  if (meanwhile == Meanwhile::peer_ends) s.end_of_peer();
  if (meanwhile == Meanwhile::peer_resets) tests::reset(std::exchange(s.theirs, -1));
  io_uring_get_events(&reactor.ring().raw());  // it is noted before the send is cancelled
  EXPECT_TRUE(co_await s.becomes(State::closed));
  EXPECT_EQ(s.sender.unsent(), 0u) << "its buffers are given back";
  EXPECT_EQ(s.receiver.error().kind, Error::Kind::closed) << "not told of a failure";
  for (int i = 0; i < 3; ++i) co_await tests::turn(reactor);
  EXPECT_EQ(s.sender.state(), State::closed);
  co_await s.closed();
}

TEST(SenderClose, OfOneThatIsOnItsWayWaitsForTheKernel) {
  using enum Meanwhile;
  for (const Meanwhile meanwhile : {nothing, peer_takes, peer_ends, peer_resets}) {
    for (const bool part_taken : {false, true}) {
      SCOPED_TRACE(static_cast<int>(meanwhile) * 10 + part_taken);
      run_on_reactor(
          [&](Reactor& reactor) { return close_on_its_way(reactor, meanwhile, part_taken); });
    }
  }
}

TEST(SenderClose, OfOneThatHasFailedIsDoneAtOnce) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Sending s(reactor);
    s.end_of_peer();
    s.send("x");
    EXPECT_TRUE(co_await s.becomes(State::failed));
    s.send("behind it");
    s.sender.begin_close();
    EXPECT_EQ(s.sender.state(), State::closed);
    co_await s.closed();
  });
}

// Its timer was running; it is stopped, and so does not find what is no longer there.
TEST(SenderClose, StopsItsTimer) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    {
      Sending s(reactor, 10ms);
      s.send("x");
      EXPECT_EQ(co_await s.drained(0, {reactor.now() + 1s}), "");
      co_await s.close();
    }
    co_await Sleep(reactor, 30ms, nullptr);
  });
}

#ifndef NDEBUG
TEST(SenderDeathTest, NothingIsQueuedOnceItCloses) {
  EXPECT_DEATH(run_on_reactor([](Reactor& reactor) -> Task<void> {
                 Sending s(reactor);
                 s.sender.begin_close();
                 s.send("too late");
                 co_await s.closed();
               }),
               "nothing is queued for a stream that closes");
}
#endif

}  // namespace
}  // namespace ringpost::io
