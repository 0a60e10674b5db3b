#include "src/io/condition.h"

#include <gtest/gtest.h>

#include "src/io/scope.h"
#include "tests/support/reactor.h"

namespace ringpost::io {
namespace {

using namespace std::chrono_literals;
using tests::run_on_reactor;

// A count, and one who waits until it is at least so much.
struct Counted {
  explicit Counted(Reactor& on) : reactor(on) {}
  Task<void> wait(int least, Until until) {
    auto reached = condition.wait(reactor, until, [this, least] { return count >= least; });
    result = co_await reached;
    ended = true;
  }
  void add() {
    ++count;
    condition.changed();
  }
  Reactor& reactor;
  Condition condition;
  int count = 0;
  bool result = false, ended = false;
};

TEST(Condition, WakesOnceThePredicateHolds) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Counted counted(reactor);
    Scope scope(reactor);
    scope.spawn(counted.wait(2, {}));
    counted.add();
    co_await Sleep(reactor, 1ms, nullptr);
    EXPECT_FALSE(counted.ended);
    counted.add();
    counted.add();  // woken already
    EXPECT_FALSE(counted.ended) << "it runs in a turn of its own";
    co_await scope.join();
    EXPECT_TRUE(counted.result);
    counted.add();  // nobody waits
  });
}

TEST(Condition, DoesNotSuspendWhenItHolds) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Counted counted(reactor);
    Scope scope(reactor);
    scope.spawn(counted.wait(0, {reactor.now() - 1s}));
    EXPECT_TRUE(counted.ended);
    EXPECT_TRUE(counted.result);
    co_await scope.join();
  });
}

TEST(Condition, ADeadlineAndACancellationEndTheWait) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    for (const bool cancel : {false, true}) {
      Counted counted(reactor);
      Scope scope(reactor);
      scope.spawn(counted.wait(1, scope.until(reactor.now() + (cancel ? 10s : 5ms))));
      if (cancel) scope.cancel();
      co_await scope.join();
      EXPECT_TRUE(counted.ended);
      EXPECT_FALSE(counted.result);
      counted.add();  // the wait is over
    }
  });
}

TEST(Condition, OneThatBecomesTrueInTheTurnOfItsDeadlineHolds) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Counted counted(reactor);
    Scope scope(reactor);
    scope.spawn(counted.wait(1, scope.until()));
    scope.cancel();
    counted.add();
    co_await scope.join();
    EXPECT_TRUE(counted.result);
  });
}

}  // namespace
}  // namespace ringpost::io
