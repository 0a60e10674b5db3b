#include "src/pg/load.h"

#include <gtest/gtest.h>

namespace ringpost::pg {
namespace {

using namespace std::chrono_literals;

const io::Time start{1h};

TEST(Load, IsWhatIsInFlight) {
  StatementCosts costs{Load::Microseconds(100), Load::Microseconds(1000)};
  Load load(4, costs);
  load.begin(7, start);
  EXPECT_EQ(load.total().count(), 0);
  load.sent(7, 0, start);
  load.sent(8, 1, start);
  load.sent(9, 0, start);
  EXPECT_EQ(load.total().count(), 1200);
  load.answered(9, start + 1100us);
  EXPECT_EQ(load.total().count(), 100);
  load.answered(10, start + 1200us);
  EXPECT_EQ(load.total().count(), 0);
}

TEST(Load, LearnsWhatAStatementTakes) {
  StatementCosts costs{Load::Microseconds(100), Load::Microseconds(100)};
  Load load(4, costs);
  load.begin(0, start);
  io::Time now = start;
  for (uint64_t i = 0; i < 200; ++i) {
    load.sent(i, i % 2, now);
    now += i % 2 == 0 ? 20us : 2000us;
    load.answered(i + 1, now);
    now += 5ms;  // idleness is nobody's
  }
  EXPECT_NEAR(costs[0].count(), 20, 1);
  EXPECT_NEAR(costs[1].count(), 2000, 10);
}

// Those that come in one turn share the time since the answers before them.
TEST(Load, SharesTheTimeOfATurn) {
  StatementCosts costs{Load::Microseconds(100)};
  Load load(8, costs);
  load.begin(0, start);
  io::Time now = start;
  uint64_t number = 0;
  for (int turn = 0; turn < 100; ++turn) {
    for (uint64_t i = 0; i < 8; ++i) load.sent(number + i, 0, now);
    now += 80us;
    load.answered(number += 8, now);
  }
  EXPECT_NEAR(costs[0].count(), 10, 0.5);
}

TEST(Load, NothingAnsweredChangesNothing) {
  StatementCosts costs{Load::Microseconds(100)};
  Load load(2, costs);
  load.begin(3, start);
  load.sent(3, 0, start);
  load.answered(3, start + 1h);
  EXPECT_EQ(load.total().count(), 100);
  EXPECT_EQ(costs[0].count(), 100);
}

// With the pipeline full, an owner sends its next query from inside its answer: before the answers
// of that turn are settled.
TEST(Load, AQueryFromInsideAnAnswerTakesNoOthersPlace) {
  StatementCosts costs{Load::Microseconds(100), Load::Microseconds(1000)};
  Load load(2, costs);
  load.begin(0, start);
  load.sent(0, 0, start);
  load.sent(1, 0, start);
  load.sent(2, 1, start);
  load.sent(3, 1, start);
  load.answered(2, start + 200us);
  EXPECT_EQ(load.total().count(), 2000);
  load.answered(4, start + 2200us);
  EXPECT_EQ(load.total().count(), 0);
}

TEST(Load, OneStallSaysLittleOfAStatementAndManySayMuch) {
  StatementCosts costs{Load::Microseconds(100)};
  Load load(2, costs);
  load.begin(0, start);
  io::Time now = start;
  for (uint64_t number = 0; number < 20; ++number) {
    load.sent(number, 0, now);
    load.answered(number + 1, now += 5s);
    if (number == 0) {
      EXPECT_LT(costs[0].count(), 150);
    }
  }
  EXPECT_GT(costs[0].count(), 50'000);
}

}  // namespace
}  // namespace ringpost::pg
