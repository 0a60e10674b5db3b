#include "src/io/receiver.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/io/all_buffers.h"
#include "tests/io/receiving.h"

namespace ringpost::io {
namespace {

using namespace std::chrono_literals;
using State = Receiver::State;
using tests::Receiving;
using tests::run_on_reactor;
using tests::write_all;

constexpr Error broken_pipe{Error::Kind::system, EPIPE, "send"};

TEST(Receiver, ReadsWhatArrivesThenTheEnd) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    tests::Buffers buffers(reactor);
    Receiving r(reactor, buffers);
    EXPECT_EQ(r.receiver.state(), State::idle);
    write_all(r.theirs, "hello");
    EXPECT_EQ(co_await r.read({}), "hello");
    EXPECT_EQ(r.receiver.state(), State::armed);
    r.end_of_peer();
    EXPECT_EQ(co_await r.read({}), "|receive: closed by the peer");
    EXPECT_EQ(r.receiver.state(), State::idle);
    EXPECT_EQ(co_await r.read({}), "|receive: closed by the peer") << "and it stays so";
    EXPECT_EQ(r.receiver.state(), State::idle) << "nothing is asked of the kernel any more";
    co_await r.close();
  });
}

TEST(Receiver, WhatCameBeforeTheEndIsReadBeforeIt) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    tests::Buffers buffers(reactor);
    Receiving r(reactor, buffers);
    co_await r.arm();
    write_all(r.theirs, "last words");
    r.end_of_peer();
    EXPECT_TRUE(co_await r.becomes(State::idle));
    EXPECT_EQ(co_await r.read(), "last words");
    EXPECT_EQ(co_await r.read(), "|receive: closed by the peer");
    co_await r.close();
  });
}

TEST(Receiver, AResetIsAnError) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    tests::Buffers buffers(reactor);
    Receiving r(reactor, buffers, tests::tcp_pair());
    tests::reset(std::exchange(r.theirs, -1));
    EXPECT_EQ(co_await r.read(), "|receive: Connection reset by peer");
    EXPECT_EQ(r.receiver.state(), State::idle);
    co_await r.close();
  });
}

TEST(Receiver, ADeadlineEndsAReadAndTheNextStillGetsTheBytes) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    tests::Buffers buffers(reactor);
    Receiving r(reactor, buffers);
    EXPECT_EQ(co_await r.read({reactor.now() + 20ms}), "|receive: timed out");
    EXPECT_EQ(co_await r.read({reactor.now() - 1ms}), "|receive: timed out");
    write_all(r.theirs, "late");
    EXPECT_EQ(co_await r.read({}), "late");
    co_await r.close();
  });
}

TEST(Receiver, CancellationEndsARead) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    tests::Buffers buffers(reactor);
    Receiving r(reactor, buffers);
    Scope scope(reactor);
    std::string read;
    scope.spawn(r.read_into(read, scope.until()));
    EXPECT_EQ(read, "");
    scope.cancel();
    co_await scope.join();
    EXPECT_EQ(read, "|receive: cancelled");
    read.clear();
    scope.spawn(r.read_into(read, scope.until()));
    EXPECT_EQ(read, "|receive: cancelled")
        << "a wait that begins after the request does not suspend";
    co_await scope.join();
    write_all(r.theirs, "later");
    EXPECT_EQ(co_await r.read(), "later");
    co_await r.close();
  });
}

// Whoever reads is told of the cancellation in the turn in which the bytes come.
TEST(Receiver, BytesThatComeInTheTurnOfACancellationAreNotThrownAway) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    tests::Buffers buffers(reactor, 2, 16);
    Receiving r(reactor, buffers);
    Scope scope(reactor);
    std::string read;
    scope.spawn(r.read_into(read, scope.until()));
    co_await tests::turn(reactor);
    write_all(r.theirs, std::string(16, 'a') + "bb");
    scope.cancel();
    co_await scope.join();
    EXPECT_EQ(read, std::string(16, 'a'));
    EXPECT_EQ(co_await r.read(), "bb");
    co_await r.close();
    co_await tests::expect_all_buffers(reactor, buffers, 2, 16);
  });
}

TEST(Receiver, RunsThatAreReleasedStayBeforeWhatComesLater) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    tests::Buffers buffers(reactor, 4, 16);
    Receiving r(reactor, buffers);
    Scope scope(reactor);
    std::string first;
    scope.spawn(r.read_into(first, {}));
    const std::string sixteen(16, 'a');
    write_all(r.theirs, sixteen + std::string(16, 'b') + "c");
    co_await scope.join();
    EXPECT_EQ(first, sixteen);
    write_all(r.theirs, "later");  // nobody reads: it is copied out
    co_await tests::turn(reactor);
    r.receiver.release();
    EXPECT_EQ(co_await r.read(), std::string(16, 'b') + "clater");
    co_await r.close();
    co_await tests::expect_all_buffers(reactor, buffers, 4, 16);
  });
}

TEST(Receiver, AFailedSendWakesTheReaderWithItsError) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    tests::Buffers buffers(reactor);
    for (const auto& [error, message] :
         {std::pair(broken_pipe, "|send: Broken pipe"),
          {Error{Error::Kind::timed_out, 0, "send"}, "|send: timed out"}}) {
      Receiving r(reactor, buffers);
      Scope scope(reactor);
      std::string read;
      scope.spawn(r.read_into(read, {}));
      r.receiver.sending_failed(error);
      co_await scope.join();
      EXPECT_EQ(read, message);
      EXPECT_EQ(co_await r.read({}), message);
      EXPECT_EQ(r.receiver.state(), State::armed) << "the kernel still has the request";
      co_await r.close();
    }
  });
}

TEST(Receiver, WhatHasComeIsReadBeforeTheErrorOfTheSend) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    tests::Buffers buffers(reactor);
    Receiving r(reactor, buffers);
    co_await r.arm();
    write_all(r.theirs, "why");
    co_await tests::turn(reactor);
    r.receiver.sending_failed(broken_pipe);
    EXPECT_EQ(co_await r.read(), "why");
    EXPECT_EQ(co_await r.read(), "|send: Broken pipe");
    co_await r.close();
  });
}

TEST(Receiver, AFailedSendSaysMoreThanTheEndOfReceiving) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    tests::Buffers buffers(reactor);
    for (const bool send_first : {false, true}) {
      Receiving r(reactor, buffers);
      co_await r.arm();
      if (send_first) r.receiver.sending_failed(broken_pipe);
      r.end_of_peer();
      EXPECT_TRUE(co_await r.becomes(State::idle));
      if (!send_first) r.receiver.sending_failed(broken_pipe);
      EXPECT_EQ(co_await r.read(), "|send: Broken pipe");
      co_await r.close();
    }
  });
}

}  // namespace
}  // namespace ringpost::io
