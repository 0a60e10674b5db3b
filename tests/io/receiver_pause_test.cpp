// A Receiver whose reader does not keep up, or whose group is out of buffers.
#include <string>

#include <gtest/gtest.h>

#include "src/io/receiver.h"
#include "tests/io/all_buffers.h"
#include "tests/io/receiving.h"

namespace ringpost::io {
namespace {

using namespace std::chrono_literals;
using State = Receiver::State;
using tests::Receiving;
using tests::run_on_reactor;
using tests::write_all;

TEST(ReceiverPause, PausesWhileNobodyReadsAndIsArmedByTheNextRead) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    tests::Buffers buffers(reactor);
    Receiving r(reactor, buffers);
    co_await r.arm();
    const std::string much(Receiver::most_overflow, 'x');
    write_all(r.theirs, much);
    EXPECT_TRUE(co_await r.becomes(State::pausing));
    EXPECT_TRUE(co_await r.becomes(State::idle));
    write_all(r.theirs, "more");
    for (int i = 0; i < 5; ++i) co_await tests::turn(reactor);
    EXPECT_EQ(r.receiver.state(), State::idle) << "the peer is held back";
    EXPECT_EQ(co_await r.read(), much);
    EXPECT_EQ(co_await r.read(), "more");
    EXPECT_EQ(r.receiver.state(), State::armed);
    co_await r.close();
  });
}

TEST(ReceiverPause, OneByteLessThanTheLimitPausesNothing) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    tests::Buffers buffers(reactor);
    Receiving r(reactor, buffers);
    co_await r.arm();
    write_all(r.theirs, std::string(Receiver::most_overflow - 1, 'x'));
    for (int i = 0; i < 5; ++i) co_await tests::turn(reactor);
    EXPECT_EQ(r.receiver.state(), State::armed);
    EXPECT_EQ((co_await r.read()).size(), Receiver::most_overflow - 1);
    co_await r.close();
  });
}

TEST(ReceiverPause, ARequestThatIsWantedAgainWhileItPausesIsArmedAgain) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    tests::Buffers buffers(reactor);
    Receiving r(reactor, buffers);
    co_await r.arm();
    const std::string much(Receiver::most_overflow, 'x');
    write_all(r.theirs, much);
    EXPECT_TRUE(co_await r.becomes(State::pausing));
    EXPECT_EQ(co_await r.read(), much);
    Scope scope(reactor);
    std::string next;
    scope.spawn(r.read_into(next, {reactor.now() + 2s}));
    EXPECT_EQ(r.receiver.state(), State::pausing) << "the kernel has it still";
    EXPECT_TRUE(co_await r.becomes(State::armed));
    write_all(r.theirs, "next");
    co_await scope.join();
    EXPECT_EQ(next, "next");
    co_await r.close();
  });
}

TEST(ReceiverPause, StarvesUntilBuffersComeBack) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    tests::Buffers buffers(reactor, 2, 16);
    Receiving r(reactor, buffers);
    write_all(r.theirs, std::string(64, 'x'));
    std::string got = co_await r.read();  // and another run is queued
    EXPECT_EQ(got.size(), 16u);
    EXPECT_TRUE(co_await r.becomes(State::starved));
    for (int i = 0; i < 5; ++i) co_await tests::turn(reactor);
    EXPECT_EQ(r.receiver.state(), State::starved) << "all are held";
    r.receiver.release();
    EXPECT_TRUE(co_await r.becomes(State::armed)) << "though nobody reads";
    while (got.size() < 64) {
      const std::string more = co_await r.read();
      EXPECT_FALSE(more.starts_with('|')) << more;
      if (more.starts_with('|')) break;
      got += more;
    }
    EXPECT_EQ(got, std::string(64, 'x'));
    co_await r.close();
    co_await tests::expect_all_buffers(reactor, buffers, 2, 16);
  });
}

TEST(ReceiverPause, RunningOutOfBuffersOnlySlowsDown) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    tests::Buffers buffers(reactor, 2, 16);
    Receiving first(reactor, buffers), second(reactor, buffers);
    write_all(first.theirs, std::string(100, 'a'));
    write_all(second.theirs, std::string(100, 'b'));
    std::string from_first, from_second;
    while (from_first.size() < 100 || from_second.size() < 100) {
      for (auto& [from, text] :
           {std::pair<Receiving&, std::string&>(first, from_first), {second, from_second}}) {
        if (text.size() == 100) continue;
        const std::string bytes = co_await from.read();
        EXPECT_FALSE(bytes.starts_with('|')) << "starved: " << bytes;
        if (bytes.starts_with('|')) co_return;
        text += bytes;
        from.receiver.release();
      }
    }
    EXPECT_EQ(from_first, std::string(100, 'a'));
    EXPECT_EQ(from_second, std::string(100, 'b'));
    co_await first.close();
    co_await second.close();
  });
}

TEST(ReceiverPause, AReaderThatFallsBehindPausesItsPeerAndLosesNothing) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    tests::Buffers buffers(reactor, 64, 64);
    Receiving r(reactor, buffers);
    write_all(r.theirs, "x");
    EXPECT_EQ(co_await r.read({}), "x");
    std::string expected;
    for (int i = 0; i < 120; ++i) {
      const std::string piece = std::to_string(i) + std::string(500, ';');
      write_all(r.theirs, piece);
      expected += piece;
      if (i % 20 == 0) co_await Sleep(reactor, 1ms, nullptr);
    }
    std::string got;
    while (got.size() < expected.size()) {
      const std::string bytes = co_await r.read();
      EXPECT_FALSE(bytes.starts_with('|')) << bytes;
      if (bytes.starts_with('|')) break;
      got += bytes;
    }
    EXPECT_EQ(got, expected);
    co_await r.close();
  });
}

}  // namespace
}  // namespace ringpost::io
