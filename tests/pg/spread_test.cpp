// Which connection a query goes to, over tables of connections; and what the shards' meters sum.
#include "src/pg/spread.h"

#include <algorithm>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace ringpost::pg {
namespace {

using namespace std::chrono_literals;

struct Fake {
  uint32_t queries = 0;
  std::chrono::microseconds charged{};
  bool open = true, room = true;

  bool ready() const { return open; }
  bool has_room() const { return open && room; }
  uint32_t depth() const { return queries; }
  std::chrono::microseconds load() const { return charged; }
};

const Fake idle, closed{.open = false, .room = false},
    full{.queries = 64, .charged = 9ms, .room = false};

struct Chosen {
  int connection;  // its place, or -1
  bool pressed, wants_another;
  bool operator==(const Chosen&) const = default;
};

Chosen chosen(const std::vector<Fake>& of, const Choice<const Fake>& choice) {
  const int place =
      choice.connection == nullptr ? -1 : static_cast<int>(choice.connection - of.data());
  return {place, choice.pressed, choice.wants_another};
}

Chosen quick(const std::vector<Fake>& of, uint32_t width) {
  const auto at = [&](size_t i) -> const Fake& { return of[i]; };
  return chosen(of, choose_for_quick<const Fake>(of.size(), at, width));
}

Chosen slow(const std::vector<Fake>& of, uint32_t width, uint32_t left_alone) {
  const auto at = [&](size_t i) -> const Fake& { return of[i]; };
  return chosen(of, choose_for_slow<const Fake>(of.size(), at, width, left_alone));
}

TEST(ChooseForQuick, TakesTheLeastLoadedOfTheFirstFew) {
  const Fake light{.queries = 7, .charged = 50us}, heavy{.queries = 7, .charged = 90us};
  EXPECT_EQ(quick({heavy, light, idle}, 1), (Chosen{0, false, false}));
  EXPECT_EQ(quick({heavy, light, idle}, 2), (Chosen{1, false, false}));
  EXPECT_EQ(quick({heavy, light, idle}, 3), (Chosen{2, false, false}));
  EXPECT_EQ(quick({light, light, light}, 3), (Chosen{0, false, false}));
}

TEST(ChooseForQuick, EightInFlightOnTheBestArePressed) {
  const Fake seven{.queries = 7, .charged = 56us}, eight{.queries = 8, .charged = 64us};
  EXPECT_EQ(quick({seven}, 1), (Chosen{0, false, false}));
  EXPECT_EQ(quick({eight, idle}, 1), (Chosen{0, true, false}));
  EXPECT_EQ(quick({eight, idle}, 2), (Chosen{1, false, false}));
}

TEST(ChooseForQuick, OnlyThoseThatAreOpenCount) {
  EXPECT_EQ(quick({closed, idle, idle}, 1), (Chosen{1, false, false}));
  EXPECT_EQ(quick({closed, idle, closed}, 2), (Chosen{1, false, true}));
  EXPECT_EQ(quick({closed, closed}, 1), (Chosen{-1, true, true}));
  EXPECT_EQ(quick({}, 1), (Chosen{-1, true, true}));
}

TEST(ChooseForQuick, GoesBeyondTheWidthWhereThereIsNoRoom) {
  EXPECT_EQ(quick({full, full, idle, idle}, 1), (Chosen{2, false, false}));
  EXPECT_EQ(quick({full, full}, 1), (Chosen{-1, true, true}));
}

TEST(ChooseForSlow, TakesAnIdleOneFromTheOtherEnd) {
  const Fake busy{.queries = 1, .charged = 800us};
  EXPECT_EQ(slow({idle, idle, idle}, 3, 0), (Chosen{2, false, false}));
  EXPECT_EQ(slow({idle, idle, busy}, 3, 0), (Chosen{1, false, false}));
  EXPECT_EQ(slow({idle, idle, closed}, 3, 0), (Chosen{1, false, false}));
  EXPECT_EQ(slow({}, 1, 0), (Chosen{-1, true, true}));
}

TEST(ChooseForSlow, WaitsBehindAnotherBeforeMoreThanHelpAreUsed) {
  const Fake busy{.queries = 1, .charged = 800us}, busier{.queries = 2, .charged = 1600us};
  EXPECT_EQ(slow({idle, idle, busy}, 1, 0), (Chosen{2, true, false}));
  EXPECT_EQ(slow({idle, busy, busier}, 2, 0), (Chosen{1, true, false}));
}

TEST(ChooseForSlow, TakesAnyIdleOneBeforeAWaitOfFiftyMilliseconds) {
  const Fake short_of{.queries = 9, .charged = 49'999us}, as_long{.queries = 9, .charged = 50ms};
  EXPECT_EQ(slow({idle, idle, short_of}, 1, 0), (Chosen{2, true, false}));
  EXPECT_EQ(slow({idle, idle, as_long}, 1, 0), (Chosen{1, false, false}));
  EXPECT_EQ(slow({as_long}, 1, 0), (Chosen{0, true, true}));  // one more is to be opened
}

TEST(ChooseForSlow, LeavesThoseOfTheQuickAlone) {
  const Fake as_long{.queries = 9, .charged = 50ms};
  EXPECT_EQ(slow({idle, idle, as_long}, 1, 2), (Chosen{2, true, true}));
  EXPECT_EQ(slow({idle, idle, as_long}, 1, 1), (Chosen{1, false, false}));
  EXPECT_EQ(slow({idle, closed}, 1, 1), (Chosen{0, false, true}));  // there is no other
}

// Queries that are asked and answered together, in modelled time. The meters' sums are seen by what
// is learnt from them.
class Shard {
 public:
  explicit Shard(Spread& spread) : spread_(spread), meter_(spread.add_shard()) {}

  // Queries that take so long, `at_once` of them; `pressed` when they found no other connection.
  void ask(uint32_t at_once, io::Duration time, bool pressed) {
    for (uint32_t i = 0; i < at_once; ++i) meter_.begin(Kind::quick, now);
    if (pressed)
      for (uint32_t i = 0; i < at_once; ++i) meter_.pressed(Kind::quick);
    now += time;
    for (uint32_t i = 0; i < at_once; ++i) meter_.end(Kind::quick, true, now);
    spread_.look(now);
  }
  // Of as many CPUs as PostgreSQL has, each width uses what it can.
  void ask_of(uint32_t cpus) {
    ask(64, std::chrono::milliseconds(12) / std::min(spread_.width(Kind::quick), cpus), true);
  }
  const Spread::Meter& meter() const { return meter_; }

  io::Time now{1h};

 private:
  Spread& spread_;
  Spread::Meter& meter_;
};

TEST(Spread, BeginsWithOneForQuickAndAFewForSlow) {
  for (const uint32_t most : {1U, 3U, 30U}) {
    const Spread spread(most);
    EXPECT_EQ(spread.width(Kind::quick), 1u);
    EXPECT_EQ(spread.width(Kind::slow), std::min(most, 4U));
  }
}

TEST(Spread, LearnsFromWhatQueriesTook) {
  for (const uint32_t cpus : {1U, 4U}) {
    Spread spread(30);
    Shard shard(spread);
    const io::Time end = shard.now + 20s;
    uint64_t times = 0, at_cpus = 0;
    while (shard.now < end) {
      shard.ask_of(cpus);
      if (shard.now < end - 10s) continue;
      ++times;
      at_cpus += spread.width(Kind::quick) == cpus ? 1 : 0;
    }
    EXPECT_GT(at_cpus * 10, times * 9) << cpus;
    EXPECT_EQ(spread.width(Kind::slow), 4u) << "nothing slow was asked";
  }
}

TEST(Spread, UsesAllWhereNothingIsToBeLearnt) {
  Spread spread(30, false);
  Shard shard(spread);
  for (int i = 0; i < 100'000; ++i) shard.ask_of(1);  // where one is best
  EXPECT_EQ(spread.width(Kind::quick), 30u);
  EXPECT_EQ(spread.width(Kind::slow), 30u);
  EXPECT_EQ(spread.left_alone(), 0u);
}

// As many are answered in the same time, but half of them sooner: another connection is worth it.
TEST(Spread, CountsTheTimeOfEachQuery) {
  Spread spread(2);
  Spread::Meter& meter = spread.add_shard();
  io::Time now{1h};
  for (int round = 0; round < 1000; ++round) {
    for (int i = 0; i < 64; ++i) {
      meter.begin(Kind::quick, now);
      meter.pressed(Kind::quick);
    }
    const bool sooner = spread.width(Kind::quick) == 2;
    for (int i = 0; i < 32; ++i) meter.end(Kind::quick, true, now + (sooner ? 1ms : 12ms));
    now += 12ms;
    for (int i = 0; i < 32; ++i) meter.end(Kind::quick, true, now);
    spread.look(now);
  }
  EXPECT_EQ(spread.width(Kind::quick), 2u);
}

TEST(Spread, AMeterKnowsWhenAKindWasLastAsked) {
  Spread spread(1);
  Spread::Meter& meter = spread.add_shard();
  meter.begin(Kind::quick, io::Time(1s));
  meter.begin(Kind::slow, io::Time(2s));
  meter.end(Kind::quick, false, io::Time(3s));
  EXPECT_EQ(meter.last(Kind::quick), io::Time(3s));
  EXPECT_EQ(meter.last(Kind::slow), io::Time(2s));
}

// At the same time, for ThreadSanitizer. Their clocks differ, so what is learnt is not looked at.
TEST(Spread, IsSharedByShards) {
  Spread spread(8);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&spread] {
      Shard shard(spread);
      for (int j = 0; j < 5000; ++j) shard.ask_of(1);
    });
  for (std::thread& each : threads) each.join();
  EXPECT_GE(spread.width(Kind::quick), 1u);
  EXPECT_LE(spread.width(Kind::quick), 8u);
}

}  // namespace
}  // namespace ringpost::pg
