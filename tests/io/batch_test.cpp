#include "src/io/batch.h"

#include <gtest/gtest.h>

namespace ringpost::io {
namespace {

using namespace std::chrono_literals;

constexpr Batch::Wait first_alone{1, 0ns};

// A load that stays as it is: turns of so long, in which so many completions come and so many
// requests are answered and asked (`answers` of them in `answers_in` turns).
struct Load {
  const char* name;
  unsigned in_flight;
  Duration turn;
  unsigned completions, answers, answers_in;
  Batch::Wait expected;
};

void PrintTo(const Load& load, std::ostream* out) {
  *out << load.name;
}

void take_turns(Batch& batch, const Load& load, unsigned turns = 1000) {
  for (unsigned turn = 0; turn < turns; ++turn) {
    batch.turned(load.completions, load.turn);
    if (turn % load.answers_in != 0) continue;
    for (unsigned i = 0; i < load.answers; ++i) {
      batch.answered();
      batch.asked();
    }
  }
}

void ask(Batch& batch, unsigned requests) {
  for (unsigned i = 0; i < requests; ++i) batch.asked();
}

// The limit to the microsecond.
Batch::Wait rounded(Batch::Wait wait) {
  wait.limit = std::chrono::round<std::chrono::microseconds>(wait.limit);
  return wait;
}

class Batches : public testing::TestWithParam<Load> {};

TEST_P(Batches, WaitsAsLongAsItsLoadIsWorth) {
  const Load& load = GetParam();
  Batch batch(100us);
  ask(batch, load.in_flight);
  take_turns(batch, load);
  EXPECT_EQ(rounded(batch.next(1000)).completions, load.expected.completions);
  EXPECT_EQ(rounded(batch.next(1000)).limit, load.expected.limit);
}

INSTANTIATE_TEST_SUITE_P(
    Loads, Batches,
    testing::Values(
        // Measured: /users/{id} by so many clients, a CPU for the shard and one for the others.
        Load{"one client, 80 us a request", 1, 40us, 1, 1, 2, first_alone},
        Load{"8 clients, 160 us a request", 8, 60us, 2, 3, 1, first_alone},
        Load{"12 clients, 300 us a request", 12, 75us, 3, 3, 1, {6, 75us}},
        Load{"16 clients, 340 us a request", 16, 85us, 3, 4, 1, {8, 85us}},
        Load{"32 clients, 640 us a request", 32, 80us, 3, 4, 1, {16, 100us}},
        Load{"64 clients, 1.3 ms a request", 64, 80us, 3, 4, 1, {32, 100us}},
        Load{"64 clients, 3.5 ms a request", 64, 54us, 1, 1, 1, {32, 100us}},
        Load{"12 clients, 75 us a request", 12, 19us, 3, 3, 1, first_alone},
        Load{"8 clients, 6.4 ms a request", 8, 80us, 4, 1, 10, first_alone},
        Load{"9 clients, 7.2 ms a request", 9, 80us, 4, 1, 10, {4, 100us}},
        // Few come, however long they take: there is nothing to be waited for.
        Load{"4 slow pages, 20 ms a request", 4, 2500us, 1, 1, 2, first_alone},
        Load{"PostgreSQL does not answer", 1000, 1ms, 1, 0, 1, first_alone},
        Load{"PostgreSQL does not answer, health checks do", 1000, 20us, 1, 1, 1, {500, 100us}},
        Load{"1,000 requests/s, each alone", 1, 500us, 1, 1, 2, first_alone}),
    [](const auto& test) { return std::to_string(test.index); });

constexpr Load busy{"busy", 64, 80us, 3, 4, 1, {32, 100us}};

TEST(Batch, NothingIsKnownInTheBeginning) {
  EXPECT_EQ(Batch(100us).next(1000), first_alone);
}

TEST(Batch, TheOptionIsALimitAndTurnsItOff) {
  for (const auto& [most, expected] :
       {std::pair(1000us, 320us), std::pair(100us, 100us), std::pair(20us, 20us),
        std::pair(19us, 0us), std::pair(0us, 0us)}) {
    Batch batch(most);
    ask(batch, busy.in_flight);
    take_turns(batch, busy);
    EXPECT_EQ(rounded(batch.next(1000)).limit, expected) << most;
  }
}

TEST(Batch, MoreThanThereIsRoomForIsNotWaitedFor) {
  Batch batch(100us);
  ask(batch, busy.in_flight);
  take_turns(batch, busy);
  EXPECT_EQ(rounded(batch.next(33)), (Batch::Wait{32, 100us}));
  EXPECT_EQ(rounded(batch.next(31)), (Batch::Wait{31, 100us}));
  EXPECT_EQ(rounded(batch.next(2)), (Batch::Wait{2, 100us}));
  EXPECT_EQ(batch.next(1), first_alone);
  EXPECT_EQ(batch.next(0), first_alone);
}

TEST(Batch, AfterAWaitInVainTheFirstIsWaitedForAlone) {
  Batch batch(100us);
  ask(batch, busy.in_flight);
  take_turns(batch, busy);
  batch.turned(0, 100us);
  EXPECT_EQ(batch.next(1000), first_alone);
  batch.turned(1, 100us);
  EXPECT_EQ(rounded(batch.next(1000)), (Batch::Wait{32, 100us}));
}

TEST(Batch, ABusyShardIsFoundOutInSomeMilliseconds) {
  Batch batch(100us);
  ask(batch, busy.in_flight);
  take_turns(batch, busy, 100);
  EXPECT_EQ(rounded(batch.next(1000)).limit, 100us);
}

TEST(Batch, WhatWasLearntIsForgottenWithinTwentyQuietTurns) {
  for (const Duration pause : {Duration(1ms), Duration(10s)}) {
    Batch batch(100us);
    ask(batch, busy.in_flight);
    take_turns(batch, busy);
    for (int turn = 0; turn < 20; ++turn) batch.turned(1, pause);
    EXPECT_EQ(batch.next(1000), first_alone);
  }
}

TEST(Batch, APauseIsSoonForgottenToo) {
  Batch batch(100us);
  ask(batch, busy.in_flight);
  take_turns(batch, busy);
  batch.turned(1, 10s);
  take_turns(batch, busy, 20);
  EXPECT_EQ(rounded(batch.next(1000)).limit, 100us);
}

}  // namespace
}  // namespace ringpost::io
