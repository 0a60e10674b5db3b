#include "src/io/awaited_operation.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "src/io/scope.h"
#include "tests/support/reactor.h"

namespace ringpost::io {
namespace {

using namespace std::chrono_literals;
using tests::run_on_reactor;

// Reads an eventfd.
struct Reading {
  explicit Reading(Reactor& on) : reactor(on) {}
  ~Reading() { ::close(fd); }
  Task<void> read(Until until) {
    auto reading = AwaitedOperation(reactor, until, "read", [this](io_uring_sqe* entry) {
      io_uring_prep_read(entry, fd, &count, sizeof count, 0);
    });
    const Result<int> done = co_await reading;
    ended = true;
    error = done ? "" : done.error().message();
  }
  Reactor& reactor;
  int fd = eventfd(0, EFD_CLOEXEC);
  uint64_t count = 0;
  bool ended = false;
  std::string error;
};

TEST(AwaitedOperation, BringsWhatTheCallReturns) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Reading reading(reactor);
    Scope scope(reactor);
    scope.spawn(reading.read(scope.until()));
    co_await tests::turn(reactor);
    EXPECT_FALSE(reading.ended);
    eventfd_write(reading.fd, 3);
    co_await scope.join();
    EXPECT_EQ(reading.error, "");
    EXPECT_EQ(reading.count, 3u);
  });
}

TEST(AwaitedOperation, AnErrorHasTheNameOfTheCall) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Reading reading(reactor);
    ::close(std::exchange(reading.fd, -1));
    co_await reading.read({});
    EXPECT_EQ(reading.error, "read: Bad file descriptor");
  });
}

// It goes on only when the kernel no longer has it: what it points at may then end.
TEST(AwaitedOperation, ADeadlineAndACancellationTakeItBackFromTheKernel) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    for (const bool cancel : {false, true}) {
      Reading reading(reactor);
      Scope scope(reactor);
      scope.spawn(reading.read(scope.until(cancel ? never : reactor.now() + 5ms)));
      co_await tests::turn(reactor);
      if (cancel) scope.cancel();
      EXPECT_FALSE(reading.ended) << "its completion has to come first";
      co_await scope.join();
      EXPECT_EQ(reading.error, cancel ? "read: cancelled" : "read: timed out");
    }
  });
}

TEST(AwaitedOperation, WhatWasDoneBeforeItCouldBeCancelledIsDone) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Reading reading(reactor);
    eventfd_write(reading.fd, 7);
    Scope scope(reactor);
    scope.spawn(reading.read(scope.until()));
    scope.cancel();
    co_await scope.join();
    EXPECT_EQ(reading.error, "");
    EXPECT_EQ(reading.count, 7u);
  });
}

TEST(AwaitedOperation, WhoseTimeIsUpIsNotBegun) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Reading reading(reactor);
    eventfd_write(reading.fd, 7);
    co_await reading.read({reactor.now() - 1ms});
    EXPECT_EQ(reading.error, "read: timed out");
    EXPECT_EQ(reading.count, 0u);
  });
}

}  // namespace
}  // namespace ringpost::io
