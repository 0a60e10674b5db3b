#include "src/io/profiler.h"

#include <atomic>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "src/io/scope.h"
#include "src/io/sleep.h"
#include "src/io/symbols.h"
#include "tests/support/reactor.h"

namespace ringpost::io {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using tests::run_on_reactor;

// Reading them takes a second under sanitizers.
Symbols& symbols() {
  static Symbols of_this_program;
  return of_this_program;
}

// Uses the CPU for so long: a few of the kernel's ticks.
[[gnu::noinline]] void burn(Duration time) {
  timespec now{};
  const auto used = [&] {
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
  };
  const auto begin = used();
  // Mostly here: the C library's functions keep no frame pointers, so that their callers get lost.
  volatile unsigned spins = 0;
  while (used() - begin < time)
    for (int i = 0; i < 10'000; ++i) spins = spins + 1;
}

Task<int> inner(Duration time) {
  burn(time);
  co_return 1;
}
Task<int> middle(Duration time) {
  auto task = inner(time);
  const int value = co_await std::move(task);
  co_return value + 1;
}
Task<int> outer(Duration time) {
  auto task = middle(time);
  const int value = co_await std::move(task);
  co_return value + 1;
}

TEST(Profiler, AChainOfThreeTasksIsNamedFromTheOutermost) {
  Profiler profiler;
  run_on_reactor([](Reactor&) -> Task<void> {
    auto task = outer(50ms);
    EXPECT_EQ(co_await std::move(task), 3);
  });
  EXPECT_THAT(folded_samples(profiler.take(), symbols()),
              ContainsRegex("io::outer;io::middle;io::inner;io::burn[^\n]* [0-9]+\n"));
}

Task<void> sleep_then_burn(Reactor& reactor) {
  Sleep sleep(reactor, 2ms, nullptr);
  co_await sleep;
  burn(50ms);
}
Task<void> waits_for_sleeper(Reactor& reactor) {
  auto task = sleep_then_burn(reactor);
  co_await std::move(task);
}

TEST(Profiler, SoItIsAfterAWait) {
  Profiler profiler;
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    auto task = waits_for_sleeper(reactor);
    co_await std::move(task);
  });
  EXPECT_THAT(
      folded_samples(profiler.take(), symbols()),
      AllOf(ContainsRegex("io::waits_for_sleeper;io::sleep_then_burn;io::burn[^\n]* [0-9]+\n"),
            Not(HasSubstr("io::Wait::resume;io::sleep_then_burn"))));
}

Task<void> goes_on(Duration time) {
  burn(0ms);
  auto task = inner(0ms);
  co_await std::move(task);
  burn(time);
}

TEST(Profiler, ATaskThatHasEndedIsNotNamedAnyMore) {
  Profiler profiler;
  run_on_reactor([](Reactor&) -> Task<void> {
    auto task = goes_on(50ms);
    co_await std::move(task);
  });
  EXPECT_THAT(folded_samples(profiler.take(), symbols()),
              ContainsRegex("io::goes_on;io::burn[^\n]* [0-9]+\n"));
}

TEST(Profiler, WhatRunsForNoTaskHasItsNativeStack) {
  Profiler profiler;
  burn(50ms);
  const std::string stacks = folded_samples(profiler.take(), symbols());
  EXPECT_THAT(stacks, ContainsRegex("TestBody;io::burn[^\n]* [0-9]+\n"));
}

Task<void> owner_of_scope(Reactor& reactor) {
  Scope scope(reactor);
  scope.owned_by_running_task();
  scope.spawn(sleep_then_burn(reactor));
  co_await scope.join();
}

TEST(Profiler, AChildIsBelowTheTaskThatOwnsItsScope) {
  Profiler profiler;
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    auto task = owner_of_scope(reactor);
    co_await std::move(task);
  });
  const Profile profile = profiler.take();
  EXPECT_THAT(folded_samples(profile, symbols()),
              HasSubstr("io::owner_of_scope;io::sleep_then_burn;io::burn"));
  EXPECT_THAT(folded_waits(profile, symbols()),
              ContainsRegex("io::owner_of_scope;io::sleep_then_burn;io::Sleep [0-9]+\n"));
}

TEST(Profiler, WaitsAreTimedByWhatForAndWhoseBehalf) {
  Profiler profiler;
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    for (int i = 0; i < 3; ++i) {
      Sleep sleep(reactor, 20ms, nullptr);
      co_await sleep;
    }
  });
  const Profile profile = profiler.take();
  ASSERT_EQ(profile.waits.size(), 1u);
  const Histogram& times = profile.waits.begin()->second;
  EXPECT_EQ(times.count(), 3u);
  EXPECT_GE(times.total(), 57ms);
  EXPECT_GE(times.quantile(0.5), 19ms);
  EXPECT_THAT(table_of_waits(profile, symbols()),
              ContainsRegex("\n +3 +[0-9.]+ +[0-9.]+ +[0-9.]+ .*io::Sleep\n"));
}

TEST(Profiler, WhatIsTakenIsNotTakenAgain) {
  Profiler profiler;
  burn(20ms);
  EXPECT_FALSE(profiler.take().samples.empty());
  const Profile next = profiler.take();
  EXPECT_EQ(next.lost, 0u);
  EXPECT_LE(next.samples.size(), 2u);  // a tick may fall between the two calls
}

TEST(Profiler, WhatThereIsNoRoomForIsCounted) {
  Profiler profiler(1h);
  for (int i = 0; i < 1030; ++i) raise(SIGPROF);
  const Profile profile = profiler.take();
  uint64_t seen = 0;
  for (const auto& [stack, ticks] : profile.samples) seen += ticks;
  EXPECT_EQ(seen, 1024u);
  EXPECT_EQ(profile.lost, 6u);
  EXPECT_THAT(folded_samples(profile, symbols()), HasSubstr("[lost] 6\n"));
}

TEST(Profiler, ASignalThatComesAfterTheEndDoesNothing) {
  {
    const Profiler profiler(1h);
  }
  raise(SIGPROF);
}

Task<void> short_life(Reactor& reactor, int& ended) {
  Sleep sleep(reactor, 0ms, nullptr);
  co_await sleep;
  auto task = outer(0ms);
  ended += co_await std::move(task) == 3;
}

// Signals at any instruction while frames are made, resumed and freed: none that is named may be
// gone, which AddressSanitizer would say.
TEST(Profiler, TasksThatComeAndGoUnderAStormOfSignals) {
  Profiler profiler(1h);
  std::atomic<bool> over = false;
  std::thread storm([&over, target = pthread_self()] {
    while (!over) {
      pthread_kill(target, SIGPROF);
      std::this_thread::sleep_for(50us);  // or nothing else gets done
    }
  });
  int ended = 0, rounds = 0;
  uint64_t seen = 0;
  for (; seen < 500 && rounds < 5000; ++rounds) {
    run_on_reactor([&](Reactor& reactor) -> Task<void> {
      Scope scope(reactor);
      scope.owned_by_running_task();
      for (int i = 0; i < 200; ++i) scope.spawn(short_life(reactor, ended));
      co_await scope.join();
    });
    const Profile profile = profiler.take();
    for (const auto& [stack, ticks] : profile.samples) seen += ticks;
  }
  over = true;
  storm.join();
  EXPECT_EQ(ended, rounds * 200);
  EXPECT_GE(seen, 500u);
}

}  // namespace
}  // namespace ringpost::io
