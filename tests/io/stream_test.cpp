#include "src/io/stream.h"

#include <optional>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "src/io/scope.h"
#include "tests/support/reactor.h"

namespace ringpost::io {
namespace {

using namespace std::chrono_literals;
using tests::Buffers;
using tests::run_on_reactor;
using tests::socket_pair;

void write_all(int fd, std::string_view bytes) {
  ASSERT_EQ(::write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
}

std::string read_available(int fd) {
  std::string text(1 << 20, '\0');
  const ssize_t length = ::read(fd, text.data(), text.size());
  text.resize(length < 0 ? 0 : static_cast<size_t>(length));
  return text;
}

TEST(Stream, ReadsWhatArrivesThenTheEnd) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Buffers buffers(reactor);
    const auto [ours, theirs] = socket_pair();
    Stream stream(reactor, buffers, ours, 1s);
    write_all(theirs, "hello");
    auto bytes = co_await stream.read({});
    EXPECT_EQ(bytes.value(), "hello");
    ::close(theirs);
    bytes = co_await stream.read({});
    EXPECT_EQ(bytes.error().kind, Error::Kind::closed);
    co_await stream.close();
  });
}

TEST(Stream, ADeadlineEndsAReadAndTheNextStillGetsTheBytes) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Buffers buffers(reactor);
    const auto [ours, theirs] = socket_pair();
    Stream stream(reactor, buffers, ours, 1s);
    auto bytes = co_await stream.read({reactor.now() + 20ms});
    EXPECT_EQ(bytes.error().kind, Error::Kind::timed_out);
    bytes = co_await stream.read({reactor.now() - 1ms});
    EXPECT_EQ(bytes.error().kind, Error::Kind::timed_out);
    write_all(theirs, "late");
    bytes = co_await stream.read({});
    EXPECT_EQ(bytes.value(), "late");
    co_await stream.close();
    ::close(theirs);
  });
}

Task<void> expect_cancelled(Stream& stream, Until until, bool& done) {
  const auto bytes = co_await stream.read(until);
  EXPECT_EQ(bytes.error().kind, Error::Kind::cancelled);
  done = true;
}

TEST(Stream, CancellationEndsARead) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Buffers buffers(reactor);
    const auto [ours, theirs] = socket_pair();
    Stream stream(reactor, buffers, ours, 1s);
    Scope scope(reactor);
    bool done = false;
    scope.spawn(expect_cancelled(stream, scope.until(), done));
    EXPECT_FALSE(done);
    scope.cancel();
    co_await scope.join();
    EXPECT_TRUE(done);
    done = false;
    scope.spawn(expect_cancelled(stream, scope.until(), done));
    EXPECT_TRUE(done) << "a wait that begins after the request does not suspend";
    co_await scope.join();
    co_await stream.close();
    ::close(theirs);
  });
}

TEST(Stream, WhatOneTurnWritesLeavesInOneSend) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Buffers buffers(reactor);
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends),
              0);  // keeps the borders of sends
    Stream stream(reactor, buffers, ends[0], 1s);
    stream.out().append("one,");
    stream.send();
    stream.out().append("two,");
    stream.send();
    stream.out().append("three");
    stream.send();
    EXPECT_EQ(stream.unsent(), 13u);
    EXPECT_TRUE((co_await stream.drained(0, {reactor.now() + 1s})).has_value());
    EXPECT_EQ(read_available(ends[1]), "one,two,three");
    co_await stream.close();
    ::close(ends[1]);
  });
}

TEST(Stream, ASlowReaderMakesDrainedWait) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Buffers buffers(reactor);
    const auto [ours, theirs] = socket_pair();
    Stream stream(reactor, buffers, ours, 10s);
    const std::string much(4 << 20, 'x');
    stream.out().append(much);
    stream.send();
    auto drained = co_await stream.drained(0, {reactor.now() + 20ms});
    EXPECT_EQ(drained.error().kind, Error::Kind::timed_out);
    size_t read = 0;
    while (read < much.size()) {
      const size_t got = read_available(theirs).size();
      read += got;
      if (got == 0) co_await Sleep(reactor, 1ms, nullptr);
    }
    drained = co_await stream.drained(0, {reactor.now() + 1s});
    EXPECT_TRUE(drained.has_value());
    co_await stream.close();
    ::close(theirs);
  });
}

TEST(Stream, ASendThatNobodyTakesEndsTheStream) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Buffers buffers(reactor);
    const auto [ours, theirs] = socket_pair();
    Stream stream(reactor, buffers, ours, 30ms);
    stream.out().append(std::string(4 << 20, 'x'));
    stream.send();
    const auto bytes = co_await stream.read({reactor.now() + 5s});
    EXPECT_EQ(bytes.error().kind, Error::Kind::timed_out);
    EXPECT_EQ(bytes.error().message(), "send: timed out");
    EXPECT_TRUE(stream.failed());
    co_await stream.close();
    ::close(theirs);
  });
}

TEST(Stream, ASendToAPeerThatIsGoneIsAnError) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Buffers buffers(reactor);
    const auto [ours, theirs] = socket_pair();
    Stream stream(reactor, buffers, ours, 1s);
    ::close(theirs);
    stream.out().append("x");
    stream.send();
    const auto drained = co_await stream.drained(0, {});
    EXPECT_EQ(drained.error().message(), "send: Broken pipe");
    co_await stream.close();
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

// Each partial send starts no clock anew: the time is for all of what was sent.
TEST(Stream, AReaderThatTakesDropsEndsTheStreamInTime) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Buffers buffers(reactor);
    const auto [ours, theirs] = socket_pair();
    Stream stream(reactor, buffers, ours, 100ms);
    stream.out().append(std::string(4 << 20, 'x'));
    stream.send();
    const Time begin = reactor.now();
    std::string drop(8192, '\0');
    int drops = 0;
    while (!stream.failed() && reactor.now() < begin + 1s) {
      if (::read(theirs, drop.data(), drop.size()) > 0) ++drops;
      co_await Sleep(reactor, 5ms, nullptr);
    }
    EXPECT_GT(drops, 5);
    EXPECT_TRUE(stream.failed());
    EXPECT_GE(reactor.now() - begin, 99ms);
    EXPECT_LT(reactor.now() - begin, 500ms);
    EXPECT_EQ((co_await stream.drained(0, {})).error().message(), "send: timed out");
    co_await stream.close();
    ::close(theirs);
  });
}

TEST(Stream, RunningOutOfBuffersOnlySlowsDown) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Buffers buffers(reactor, 2, 16);
    const auto [a, to_a] = socket_pair();
    const auto [b, to_b] = socket_pair();
    Stream first(reactor, buffers, a, 1s), second(reactor, buffers, b, 1s);
    write_all(to_a, std::string(100, 'a'));
    write_all(to_b, std::string(100, 'b'));
    std::string from_a, from_b;
    while (from_a.size() < 100 || from_b.size() < 100) {
      for (auto& [stream, text] :
           {std::pair<Stream&, std::string&>(first, from_a), {second, from_b}}) {
        if (text.size() == 100) continue;
        const auto bytes = co_await stream.read({reactor.now() + 2s});
        EXPECT_TRUE(bytes.has_value()) << "starved";
        if (!bytes) co_return;
        text += *bytes;
        stream.release();
      }
    }
    EXPECT_EQ(from_a, std::string(100, 'a'));
    EXPECT_EQ(from_b, std::string(100, 'b'));
    co_await first.close();
    co_await second.close();
    ::close(to_a);
    ::close(to_b);
  });
}

TEST(Stream, AReaderThatFallsBehindPausesItsPeerAndLosesNothing) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Buffers buffers(reactor, 64, 64);
    const auto [ours, theirs] = socket_pair();
    Stream stream(reactor, buffers, ours, 1s);
    write_all(theirs, "x");
    EXPECT_EQ((co_await stream.read({})).value(), "x");
    std::string expected;
    for (int i = 0; i < 200; ++i) {
      const std::string piece = std::to_string(i) + std::string(500, ';');
      write_all(theirs, piece);
      expected += piece;
      if (i % 20 == 0) co_await Sleep(reactor, 1ms, nullptr);
    }
    std::string got;
    while (got.size() < expected.size()) {
      const auto bytes = co_await stream.read({reactor.now() + 2s});
      EXPECT_TRUE(bytes.has_value());
      if (!bytes) break;
      got += *bytes;
    }
    EXPECT_EQ(got, expected);
    co_await stream.close();
    ::close(theirs);
  });
}

}  // namespace
}  // namespace ringpost::io
