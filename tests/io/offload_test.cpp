#include "src/io/offload.h"

#include <atomic>
#include <deque>
#include <functional>
#include <latch>
#include <memory>
#include <optional>
#include <thread>

#include <gtest/gtest.h>

#include "src/io/scope.h"
#include "tests/support/reactor.h"

namespace ringpost::io {
namespace {

using namespace std::chrono_literals;
using tests::run_on_reactor;

// Holds the thread until it is opened.
struct Gate {
  std::shared_ptr<std::latch> latch = std::make_shared<std::latch>(1);
  std::function<void()> work() const {
    return [latch = latch] { latch->wait(); };
  }
  void open() { latch->count_down(); }
};

Task<void> note(Reactor& reactor, std::function<void()> work, Until until,
                std::optional<Result<void>>& outcome) {
  outcome = co_await offload(reactor, std::move(work), until);
}

TEST(Offload, RunsOnAnotherThread) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    std::thread::id ran_on;
    std::function<void()> work = [&ran_on] { ran_on = std::this_thread::get_id(); };
    const Result<void> done = co_await offload(reactor, work, {reactor.now() + 5s});
    EXPECT_TRUE(done);
    EXPECT_NE(ran_on, std::thread::id());
    EXPECT_NE(ran_on, std::this_thread::get_id());
  });
}

TEST(Offload, IsGivenUpAtItsDeadlineAndByCancellation) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Gate gate;
    const std::function<void()> held = gate.work(), nothing = [] {};
    const Result<void> late = co_await offload(reactor, held, {reactor.now() + 5ms});
    EXPECT_EQ(late.error().message(), "work of another thread: timed out");

    const auto ran = std::make_shared<std::atomic<bool>>(false);
    Scope scope(reactor);
    std::optional<Result<void>> cancelled;
    scope.spawn(note(reactor, [ran] { *ran = true; }, scope.until(), cancelled));
    scope.cancel();
    co_await scope.join();
    EXPECT_EQ(cancelled->error().kind, Error::Kind::cancelled);
    gate.open();
    const Result<void> next = co_await offload(reactor, nothing, {reactor.now() + 5s});
    EXPECT_TRUE(next);
    EXPECT_FALSE(*ran) << "nobody waits for it";
  });
}

// The thread can't hold a shard up, but it is one.
TEST(Offload, RefusesWhatWouldWaitTooLong) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Gate gate;
    Scope scope(reactor);
    std::deque<std::optional<Result<void>>> outcomes(1 + most_offloaded + 1);
    // The thread takes the first.
    scope.spawn(note(reactor, gate.work(), scope.until(), outcomes[0]));
    for (size_t i = 1; i < outcomes.size(); ++i) {
      if (i == 1) std::this_thread::sleep_for(20ms);
      scope.spawn(note(reactor, [] {}, scope.until(), outcomes[i]));
    }
    EXPECT_FALSE(outcomes[most_offloaded]);
    EXPECT_EQ(outcomes[most_offloaded + 1]->error().message(),
              "work for another thread: Resource temporarily unavailable");
    gate.open();
    co_await scope.join();
    EXPECT_TRUE(*outcomes[0] && *outcomes[most_offloaded]);
  });
}

}  // namespace
}  // namespace ringpost::io
