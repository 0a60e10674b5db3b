#include "src/io/stream.h"

#include <cerrno>
#include <optional>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/support/reactor.h"
#include "tests/support/sockets.h"

namespace ringpost::io {
namespace {

using namespace std::chrono_literals;
using tests::Buffers;
using tests::read_available;
using tests::run_on_reactor;
using tests::socket_pair;
using tests::write_all;

TEST(Stream, AsksAndIsAnswered) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Buffers buffers(reactor);
    const auto [ours, theirs] = socket_pair();
    Stream stream(reactor, buffers, ours, 1s);
    EXPECT_EQ(stream.fd(), ours);
    EXPECT_EQ(&stream.reactor(), &reactor);
    stream.out().append("ping");
    stream.send();
    EXPECT_EQ(stream.unsent(), 4u);
    EXPECT_TRUE((co_await stream.drained(0, {reactor.now() + 1s})).has_value());
    EXPECT_EQ(read_available(theirs), "ping");
    write_all(theirs, "pong");
    EXPECT_EQ((co_await stream.read({reactor.now() + 1s})).value(), "pong");
    stream.shutdown_send();
    char byte;
    EXPECT_EQ(::read(theirs, &byte, 1), 0);
    EXPECT_FALSE(stream.failed());
    co_await stream.close();
    ::close(theirs);
  });
}

// Who reads waits for an answer to what could not be sent.
TEST(Stream, AFailedSendEndsTheReadThatWaits) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Buffers buffers(reactor);
    const auto [ours, theirs] = socket_pair();
    Stream stream(reactor, buffers, ours, 30ms);
    stream.out().append(std::string(4 << 20, 'x'));
    stream.send();
    const auto bytes = co_await stream.read({reactor.now() + 5s});
    EXPECT_EQ(bytes.error().message(), "send: timed out");
    EXPECT_TRUE(stream.failed());
    EXPECT_EQ((co_await stream.drained(0, {})).error().message(), "send: timed out");
    co_await stream.close();
    ::close(theirs);
  });
}

TEST(Stream, CloseTakesASendAndAReceiveBackFromTheKernel) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Buffers buffers(reactor);
    const auto [ours, theirs] = socket_pair();
    Stream stream(reactor, buffers, ours, 10s);
    stream.out().append(std::string(4 << 20, 'x'));
    stream.send();
    EXPECT_FALSE((co_await stream.read({reactor.now() + 5ms})).has_value());
    co_await stream.close();
    while (!read_available(theirs).empty()) {
    }
    char byte;
    co_await Sleep(reactor, 5ms, nullptr);
    EXPECT_EQ(::read(theirs, &byte, 1), 0) << "the peer sees the end";
    ::close(theirs);
  });
}

// The kernel ends the send while close() waits for it, and there is more to send behind it: none of
// that may be queued for the stream any more. The next one gets its memory.
TEST(Stream, NothingIsQueuedForAStreamThatCloses) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Buffers buffers(reactor);
    std::optional<Stream> stream;
    for (int i = 0; i < 20; ++i) {
      const auto [ours, theirs] = socket_pair();
      stream.emplace(reactor, buffers, ours, 10s);
      stream->out().append(std::string(4 << 20, 'x'));
      stream->send();
      EXPECT_FALSE((co_await stream->drained(0, {reactor.now() + 1ms})).has_value());
      stream->out().append("behind it");
      stream->send();
      co_await Sleep(reactor, 1ms, nullptr);
      co_await stream->close();
      stream.reset();
      ::close(theirs);
    }
  });
}

// Else the peer would take what it got for all, and the kernel would keep the rest for it.
TEST(Stream, WhatWasCutOffByTheSendTimeoutEndsWithAReset) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Buffers buffers(reactor);
    const auto [ours, theirs] = tests::tcp_pair();
    Stream stream(reactor, buffers, ours, 30ms);
    stream.out().append(std::string(32 << 20, 'x'));
    stream.send();
    EXPECT_FALSE((co_await stream.drained(0, {})).has_value());
    EXPECT_EQ(stream.unsent(), 0U);
    co_await stream.close();
    co_await Sleep(reactor, 5ms, nullptr);
    std::string piece(1 << 20, '\0');
    ssize_t count = 1;
    while (count > 0) count = ::read(theirs, piece.data(), piece.size());
    EXPECT_EQ(count, -1);
    EXPECT_EQ(errno, ECONNRESET);
    ::close(theirs);
  });
}

// What the kernel still holds is dropped with what it did not take, and the peer sees a reset; a
// stream that has sent all of it ends in order.
TEST(Stream, ClosesWithAResetWhereNotAllWasSent) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Buffers buffers(reactor);
    for (const bool all_sent : {false, true}) {
      const auto [ours, theirs] = tests::tcp_pair();
      Stream stream(reactor, buffers, ours, 10s);
      stream.out().append(std::string(all_sent ? 1000 : 16 << 20, 'x'));
      stream.send();
      const bool drained = (co_await stream.drained(0, {reactor.now() + 50ms})).has_value();
      EXPECT_EQ(drained, all_sent);
      co_await stream.close();
      co_await Sleep(reactor, 5ms, nullptr);
      ssize_t length = 1;
      std::string text(1 << 20, '\0');
      while (length > 0) length = ::recv(theirs, text.data(), text.size(), MSG_DONTWAIT);
      EXPECT_EQ(length, all_sent ? 0 : -1);
      if (!all_sent) {
        EXPECT_EQ(errno, ECONNRESET);
      }
      ::close(theirs);
    }
  });
}

TEST(Stream, ClosingWhatWasQueuedInThisTurnIsAResetToo) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Buffers buffers(reactor);
    const auto [ours, theirs] = tests::tcp_pair();
    Stream stream(reactor, buffers, ours, 10s);
    stream.out().append("never sent");
    stream.send();
    co_await stream.close();
    co_await Sleep(reactor, 5ms, nullptr);
    char byte;
    EXPECT_EQ(::recv(theirs, &byte, 1, MSG_DONTWAIT), -1);
    EXPECT_EQ(errno, ECONNRESET);
    ::close(theirs);
  });
}

TEST(Stream, ClosingTwiceIsClosingOnce) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Buffers buffers(reactor);
    const auto [ours, theirs] = socket_pair();
    Stream stream(reactor, buffers, ours, 1s);
    co_await stream.close();
    co_await tests::turn(reactor);
    const int other = ::dup(theirs);
    EXPECT_EQ(other, ours) << "the descriptor is free again";
    co_await stream.close();
    co_await tests::turn(reactor);
    EXPECT_EQ(::close(other), 0) << "it belongs to somebody else by now";
    ::close(theirs);
  });
}

}  // namespace
}  // namespace ringpost::io
