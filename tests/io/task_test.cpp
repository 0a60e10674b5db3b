#include "src/io/task.h"

#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "src/io/scope.h"
#include "tests/support/reactor.h"

namespace ringpost::io {
namespace {

using namespace std::chrono_literals;
using tests::run_on_reactor;

Task<int> answer() {
  co_return 42;
}
Task<std::string> twice(std::string text) {
  co_return text + text;
}
Task<int> failing() {
  throw std::runtime_error("no");
  co_return 0;
}
Task<void> count_to(int& counter, int limit) {
  for (int i = 0; i < limit; ++i) counter += co_await answer() == 42;
}

TEST(Task, BringsItsValue) {
  run_on_reactor([](Reactor&) -> Task<void> {
    EXPECT_EQ(co_await answer(), 42);
    EXPECT_EQ(co_await twice("ab"), "abab");
  });
}

TEST(Task, IsLazy) {
  int counter = 0;
  {
    auto never_awaited = count_to(counter, 3);
  }
  EXPECT_EQ(counter, 0);
}

TEST(Task, AnExceptionIsThrownWhereItIsAwaited) {
  run_on_reactor([](Reactor&) -> Task<void> {
    auto task = failing();
    EXPECT_THROW(co_await std::move(task), std::runtime_error);
  });
}

TEST(Task, ALongRunOfAwaitsKeepsTheStackFlat) {
  int counter = 0;
  run_on_reactor([&](Reactor&) -> Task<void> { co_await count_to(counter, 2000); });
  EXPECT_EQ(counter, 2000);
}

Task<void> sleep_and_log(Reactor& reactor, Duration time, std::string& log, char name,
                         Cancellation* cancellation) {
  Sleep sleep(reactor, time, cancellation);
  log += co_await sleep ? name : '-';
}

TEST(Scope, JoinWaitsForEveryChild) {
  std::string log;
  run_on_reactor([&](Reactor& reactor) -> Task<void> {
    Scope scope(reactor);
    scope.spawn(sleep_and_log(reactor, 20ms, log, 'b', &scope.cancellation()));
    scope.spawn(sleep_and_log(reactor, 5ms, log, 'a', &scope.cancellation()));
    EXPECT_EQ(scope.running(), 2u);
    co_await scope.join();
    log += '.';
  });
  EXPECT_EQ(log, "ab.");
}

TEST(Scope, CancelReachesChildrenAndTheirScopes) {
  std::string log;
  run_on_reactor([&](Reactor& reactor) -> Task<void> {
    Scope outer(reactor);
    Scope inner(reactor, &outer.cancellation());
    inner.spawn(sleep_and_log(reactor, 1h, log, 'x', &inner.cancellation()));
    outer.spawn(sleep_and_log(reactor, 1h, log, 'y', &outer.cancellation()));
    outer.cancel();
    co_await inner.join();
    co_await outer.join();
  });
  EXPECT_EQ(log, "--");
}

TEST(Scope, AChildOfACancelledScopeEndsAtItsFirstWait) {
  std::string log;
  run_on_reactor([&](Reactor& reactor) -> Task<void> {
    Cancellation parent;
    parent.request();
    Scope scope(reactor, &parent);
    scope.spawn(sleep_and_log(reactor, 1h, log, 'x', &scope.cancellation()));
    EXPECT_EQ(log, "-");
    co_await scope.join();
  });
}

TEST(Reactor, ATimerFiresWhenItShould) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    const Time before = Clock::now();
    co_await Sleep(reactor, 30ms, nullptr);
    const auto slept = Clock::now() - before;
    EXPECT_GE(slept, 29ms);
  });
}

TEST(Reactor, AnEarlierTimerMovesTheAlarm) {
  std::string log;
  run_on_reactor([&](Reactor& reactor) -> Task<void> {
    Scope scope(reactor);
    scope.spawn(sleep_and_log(reactor, 80ms, log, 'b', nullptr));
    co_await Sleep(reactor, 2ms, nullptr);
    scope.spawn(sleep_and_log(reactor, 5ms, log, 'a', nullptr));
    co_await scope.join();
  });
  EXPECT_EQ(log, "ab");
}

}  // namespace
}  // namespace ringpost::io
