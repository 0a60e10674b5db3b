#include "src/io/sender.h"

#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/io/sending.h"

namespace ringpost::io {
namespace {

using namespace std::chrono_literals;
using State = Sender::State;
using tests::much;
using tests::read_available;
using tests::run_on_reactor;
using tests::Sending;

TEST(Sender, WhatOneTurnWritesLeavesInOneSend) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Sending s(reactor, 1s, tests::socket_pair(SOCK_SEQPACKET));  // keeps the borders of sends
    s.send("one,");
    s.send("two,");
    s.send("three");
    EXPECT_EQ(s.sender.unsent(), 13u);
    EXPECT_EQ(s.sender.state(), State::idle) << "it leaves at the end of the turn";
    EXPECT_EQ(co_await s.drained(0, {reactor.now() + 1s}), "");
    EXPECT_EQ(s.sender.state(), State::idle);
    EXPECT_EQ(read_available(s.theirs), "one,two,three");
    co_await s.close();
  });
}

TEST(Sender, WhatIsWrittenMeanwhileGathersBehindTheSend) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Sending s(reactor);
    s.send(much);
    EXPECT_TRUE(co_await s.becomes(State::flying));
    s.send("behind");
    co_await tests::turn(reactor);
    s.send(" it");
    EXPECT_GT(s.sender.unsent(), 9u) << "of the first, what found no room";
    const std::string text = co_await s.taken(much.size() + 9);
    EXPECT_TRUE(text == much + "behind it");
    EXPECT_EQ(co_await s.drained(0, {reactor.now() + 1s}), "");
    EXPECT_EQ(s.sender.state(), State::idle);
    co_await s.close();
  });
}

// The kernel gives back what it could not send when the request is cancelled, as by a signal.
TEST(Sender, ASendThatIsCutShortGoesOnWithTheRest) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Sending s(reactor);
    std::string sent;
    for (int i = 0; i < 500'000; ++i) sent += std::to_string(i);
    s.send(sent);
    EXPECT_TRUE(co_await s.becomes(State::flying));
    for (int i = 0; i < 3; ++i) {
      co_await tests::turn(reactor);
      io_uring_prep_cancel_fd(reactor.ring().prepare(nullptr), s.ours, 0);
    }
    co_await tests::turn(reactor);
    EXPECT_LT(s.sender.unsent(), sent.size()) << "a part was taken";
    EXPECT_EQ(s.sender.state(), State::flying) << "and the rest is on its way";
    const std::string text = co_await s.taken(sent.size());
    EXPECT_TRUE(text == sent) << text.size() << " of " << sent.size();
    EXPECT_EQ(co_await s.drained(0, {reactor.now() + 1s}), "");
    co_await s.close();
  });
}

TEST(Sender, BuffersAreLentWhileThereIsSomethingToSend) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Sending s(reactor);
    const size_t before = reactor.spare_buffers().size();
    s.send("x");
    EXPECT_EQ(co_await s.drained(0, {reactor.now() + 1s}), "");
    EXPECT_EQ(reactor.spare_buffers().size(), before + 1) << "its own, by now a spare one";
    s.send("y");
    EXPECT_EQ(reactor.spare_buffers().size(), before);
    EXPECT_EQ(co_await s.drained(0, {reactor.now() + 1s}), "");
    EXPECT_EQ(reactor.spare_buffers().size(), before + 1);
    s.send("z");
    co_await s.close();
    EXPECT_EQ(reactor.spare_buffers().size(), before + 1) << "closing gives it back";
  });
}

TEST(Sender, ASlowReaderMakesDrainedWait) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Sending s(reactor);
    s.send(much);
    EXPECT_EQ(co_await s.drained(0, {reactor.now() + 20ms}), "send: timed out");
    EXPECT_EQ((co_await s.taken(much.size())).size(), much.size());
    EXPECT_EQ(co_await s.drained(0, {reactor.now() + 1s}), "");
    co_await s.close();
  });
}

TEST(Sender, DrainedWaitsForNoMoreThanItSays) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Sending s(reactor);
    s.send("x");
    EXPECT_EQ(co_await s.drained(1, {reactor.now() - 1s}), "") << "nothing to wait for";
    s.send(much);
    co_await tests::turn(reactor);
    s.send("behind");
    Scope scope(reactor);
    std::string drained = "|";
    scope.spawn(s.drained_into(drained, 6, scope.until(reactor.now() + 2s)));
    EXPECT_EQ(drained, "|");
    EXPECT_EQ((co_await s.taken(much.size() + 7)).size(), much.size() + 7);
    co_await scope.join();
    EXPECT_EQ(drained, "");
    co_await s.close();
  });
}

TEST(Sender, CancellationEndsDrainedAndNotTheSend) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Sending s(reactor);
    s.send(much);
    Scope scope(reactor);
    std::string drained;
    scope.spawn(s.drained_into(drained, 0, scope.until()));
    co_await tests::turn(reactor);
    scope.cancel();
    co_await scope.join();
    EXPECT_EQ(drained, "send: cancelled");
    EXPECT_EQ(s.sender.state(), State::flying);
    EXPECT_EQ((co_await s.taken(much.size())).size(), much.size());
    EXPECT_EQ(co_await s.drained(0, {reactor.now() + 1s}), "");
    co_await s.close();
  });
}

TEST(Sender, WhatIsTakenInTheTurnOfACancellationCounts) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Sending s(reactor);
    s.send("x");
    Scope scope(reactor);
    std::string drained = "|";
    scope.spawn(s.drained_into(drained, 0, scope.until()));
    scope.cancel();
    co_await scope.join();
    EXPECT_EQ(drained, "");
    co_await s.close();
  });
}

TEST(Sender, ASendToAPeerThatIsGoneIsAnError) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Sending s(reactor, 1s);
    s.end_of_peer();
    s.send("x");
    EXPECT_EQ(co_await s.drained(0, {}), "send: Broken pipe");
    EXPECT_TRUE(s.sender.failed());
    EXPECT_EQ(s.receiver.error().message(), "send: Broken pipe");
    s.send("after it");
    co_await tests::turn(reactor);
    EXPECT_EQ(s.sender.state(), State::failed);
    EXPECT_EQ(s.sender.unsent(), 8u) << "there is no send after it";
    EXPECT_EQ(co_await s.drained(0, {}), "send: Broken pipe");
    co_await s.close();
  });
}

TEST(Sender, APeerThatEndsWhileTheSendIsOnItsWayFailsIt) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Sending s(reactor);
    s.send(much);
    EXPECT_TRUE(co_await s.becomes(State::flying));
    s.send("behind it");
    Scope scope(reactor);
    std::string drained;
    scope.spawn(s.drained_into(drained, 0, scope.until()));
    s.end_of_peer();
    co_await scope.join();
    EXPECT_NE(drained, "");
    EXPECT_EQ(s.sender.state(), State::failed);
    co_await s.close();
  });
}

TEST(Sender, ASendThatNobodyTakesFailsInTime) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Sending s(reactor, 30ms);
    s.send(much);
    auto reading = s.receiver.read({reactor.now() + 5s});
    const auto bytes = co_await reading;
    EXPECT_EQ(bytes.error().kind, Error::Kind::timed_out);
    EXPECT_EQ(bytes.error().message(), "send: timed out");
    EXPECT_TRUE(s.sender.failed());
    co_await s.close();
  });
}

// Each partial send starts no clock anew: the time is for all of what was sent.
TEST(Sender, AReaderThatTakesDropsFailsItInTime) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Sending s(reactor, 100ms);
    s.send(much);
    const Time begin = reactor.now();
    std::string drop(8192, '\0');
    int drops = 0;
    while (!s.sender.failed() && reactor.now() < begin + 1s) {
      if (::read(s.theirs, drop.data(), drop.size()) > 0) ++drops;
      co_await Sleep(reactor, 5ms, nullptr);
    }
    EXPECT_GT(drops, 5);
    EXPECT_TRUE(s.sender.failed());
    EXPECT_GE(reactor.now() - begin, 99ms);
    EXPECT_LT(reactor.now() - begin, 500ms);
    EXPECT_EQ(co_await s.drained(0, {}), "send: timed out");
    co_await s.close();
  });
}

TEST(Sender, ASendThatIsCutShortAgainAndAgainFailsInTime) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Sending s(reactor, 60ms);
    s.send(much);
    const Time begin = reactor.now();
    while (!s.sender.failed() && reactor.now() < begin + 1s) {
      co_await Sleep(reactor, 10ms, nullptr);
      if (!s.sender.failed()) io_uring_prep_cancel_fd(reactor.ring().prepare(nullptr), s.ours, 0);
    }
    EXPECT_GE(reactor.now() - begin, 59ms);
    EXPECT_LT(reactor.now() - begin, 500ms);
    EXPECT_EQ(co_await s.drained(0, {}), "send: timed out");
    co_await s.close();
  });
}

// The timer of a send that was taken runs on, and is the next one's: that has its own time.
TEST(Sender, EachSendHasTheWholeTime) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Sending s(reactor, 60ms);
    s.send("taken at once");
    co_await Sleep(reactor, 40ms, nullptr);
    const Time begin = reactor.now();
    s.send(much);
    EXPECT_EQ(co_await s.drained(0, {begin + 2s}), "send: timed out");
    EXPECT_GE(reactor.now() - begin, 59ms);
    EXPECT_TRUE(s.sender.failed());
    co_await s.close();
  });
}

TEST(Sender, ShutDownTheOtherSideSeesTheEndAndCanStillSend) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Sending s(reactor);
    s.send("last");
    EXPECT_EQ(co_await s.drained(0, {reactor.now() + 1s}), "");
    s.sender.shutdown();
    EXPECT_EQ(read_available(s.theirs), "last");
    char byte;
    EXPECT_EQ(::read(s.theirs, &byte, 1), 0);
    tests::write_all(s.theirs, "answer");
    auto reading = s.receiver.read({reactor.now() + 1s});
    EXPECT_EQ((co_await reading).value(), "answer");
    co_await s.close();
  });
}

}  // namespace
}  // namespace ringpost::io
