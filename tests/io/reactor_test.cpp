#include "src/io/reactor.h"

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/io/scope.h"
#include "src/io/stream.h"
#include "tests/support/reactor.h"

namespace ringpost::io {
namespace {

using namespace std::chrono_literals;

// What a process that reads with a deadline of 100 ms ends with: 0 when it got the bytes.
[[noreturn]] void read_in_time(int fd, int ready) {
  int status = 1;
  tests::run_on_reactor([&](Reactor& reactor) -> Task<void> {
    tests::Buffers buffers(reactor);
    Stream stream(reactor, buffers, fd, 1s);
    EXPECT_EQ(::write(ready, "r", 1), 1);
    const auto bytes = co_await stream.read({reactor.now() + 100ms});
    if (bytes.has_value() && *bytes == "x") status = 0;
    co_await stream.close();
  });
  _exit(status);
}

// Stopped (SIGSTOP, a suspended machine) while it waits, past the deadline; the bytes came
// meanwhile, and are no later than the reader.
TEST(Reactor, WhatHasComeIsTakenBeforeItIsCalledLate) {
  const auto [ours, theirs] = tests::socket_pair();
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) read_in_time(ours, ready[1]);
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  std::this_thread::sleep_for(20ms);
  kill(child, SIGSTOP);
  int status = 0;
  waitpid(child, &status, WUNTRACED);
  ASSERT_EQ(::write(theirs, "x", 1), 1);
  std::this_thread::sleep_for(200ms);
  kill(child, SIGCONT);
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  for (const int fd : {ours, theirs, ready[0], ready[1]}) ::close(fd);
}

// What completes a message is written before the stream is sent, though the stream asked first: its
// send ends no turn, and what is left behind would wait for whatever comes next.
TEST(Reactor, WhatCompletesASendComesBeforeIt) {
  class Ending final : public Reactor::Flush {
   public:
    explicit Ending(Stream& stream) : stream_(stream) {}
    void flush() override {
      stream_.out().append("end");
      stream_.send();
    }

   private:
    Stream& stream_;
  };
  const auto [ours, theirs] = tests::socket_pair();
  tests::run_on_reactor([&](Reactor& reactor) -> Task<void> {
    tests::Buffers buffers(reactor);
    Stream stream(reactor, buffers, ours, 1s);
    Ending ending(stream);
    stream.out().append("begun ");
    stream.send();
    reactor.before_sends(ending);
    auto nothing = stream.read({reactor.now() + 20ms});
    const auto bytes = co_await nothing;
    EXPECT_FALSE(bytes.has_value());
    char came[32];
    const ssize_t size = ::read(theirs, came, sizeof came);
    EXPECT_EQ(std::string(came, static_cast<size_t>(std::max<ssize_t>(size, 0))), "begun end");
    co_await stream.close();
  });
  ::close(theirs);
}

// A reactor that takes itself for busy: many requests are in flight, none is answered, and turns of
// a millisecond bring something each.
constexpr unsigned in_flight = 64;
Task<void> grow_busy(Reactor& reactor) {
  for (unsigned i = 0; i < in_flight; ++i) reactor.batch().asked();
  for (int i = 0; i < 100; ++i) {
    auto sleep = Sleep(reactor, 1ms, nullptr);
    co_await sleep;
  }
}
void grow_idle(Reactor& reactor) {
  for (unsigned i = 0; i < in_flight; ++i) reactor.batch().answered();
}

Task<void> read_into(int& reads, Stream& stream) {
  const auto bytes = co_await stream.read({});
  if (bytes.has_value()) ++reads;
}

// Somebody writes to so many sockets after 20 ms; how long it takes until the readers have it.
Duration time_to_read(Duration turn_wait, bool busy, unsigned sockets) {
  Duration taken{};
  Reactor reactor(turn_wait);
  const auto body = [&]() -> Task<void> {
    tests::Buffers buffers(reactor, 64);
    std::vector<int> theirs;
    std::vector<std::unique_ptr<Stream>> streams;
    for (unsigned i = 0; i < sockets; ++i) {
      const auto [ours, peer] = tests::socket_pair();
      streams.push_back(std::make_unique<Stream>(reactor, buffers, ours, 1s));
      theirs.push_back(peer);
    }
    if (busy) co_await grow_busy(reactor);
    int reads = 0;
    Scope scope(reactor);
    for (const auto& stream : streams) scope.spawn(read_into(reads, *stream));
    Time written;
    std::thread writer([&] {
      std::this_thread::sleep_for(20ms);
      written = Clock::now();
      for (const int fd : theirs) EXPECT_EQ(::write(fd, "x", 1), 1);
    });
    co_await scope.join();
    const Time read = Clock::now();
    writer.join();
    taken = read - written;
    EXPECT_EQ(reads, static_cast<int>(sockets));
    if (busy) grow_idle(reactor);
    for (const auto& stream : streams) co_await stream->close();
    for (const int fd : theirs) ::close(fd);
  };
  reactor.run(body());
  return taken;
}

TEST(Reactor, AnIdleOneWaitsForOneCompletionAlone) {
  EXPECT_LT(time_to_read(100ms, false, 1), 50ms);
}

TEST(Reactor, ABusyOneWaitsNoLongerThanItMay) {
  const Duration taken = time_to_read(100ms, true, 1);
  EXPECT_GE(taken, 50ms) << "it does wait";
  EXPECT_LT(taken, 400ms);
}

TEST(Reactor, ABusyOneWaitsForNoMoreThanHalfTheRequestsInFlight) {
  EXPECT_GE(time_to_read(100ms, true, in_flight / 2 - 1), 50ms);
  EXPECT_LT(time_to_read(100ms, true, in_flight / 2), 50ms);
}

TEST(Reactor, ABusyOneThatMayNotWaitDoesNot) {
  EXPECT_LT(time_to_read(0ms, true, 1), 50ms);
}

TEST(Reactor, ATimerIsNotWaitedBehind) {
  Reactor reactor(100ms);
  const auto body = [&]() -> Task<void> {
    co_await grow_busy(reactor);
    const Time begin = Clock::now();
    auto sleep = Sleep(reactor, 10ms, nullptr);
    co_await sleep;
    EXPECT_GE(Clock::now() - begin, 9ms);
    EXPECT_LT(Clock::now() - begin, 60ms);
    grow_idle(reactor);
  };
  reactor.run(body());
}

TEST(Reactor, ACancellationIsNotWaitedBehind) {
  Reactor reactor(100ms);
  const auto body = [&]() -> Task<void> {
    const auto [ours, theirs] = tests::socket_pair();
    tests::Buffers buffers(reactor);
    Stream stream(reactor, buffers, ours, 1s);
    co_await grow_busy(reactor);
    const Time begin = Clock::now();
    Cancellation cancellation;
    cancellation.request();
    const auto bytes = co_await stream.read({never, &cancellation});
    EXPECT_FALSE(bytes.has_value());
    EXPECT_LT(Clock::now() - begin, 50ms);
    grow_idle(reactor);
    co_await stream.close();
    ::close(theirs);
  };
  reactor.run(body());
}

}  // namespace
}  // namespace ringpost::io
