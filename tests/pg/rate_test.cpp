#include "src/pg/rate.h"

#include <gtest/gtest.h>

namespace ringpost::pg {
namespace {

using namespace std::chrono_literals;

const io::Time start{1h};

TEST(Rate, IsNotKnownBeforeAWindowIsOver) {
  Rate rate;
  EXPECT_FALSE(rate.per_second(start));
  rate.answered(100, true, start);  // what came before the first moment is of no known time
  rate.answered(10, true, start + 49ms);
  EXPECT_FALSE(rate.per_second(start + 49ms));
  rate.answered(10, true, start + 50ms);
  ASSERT_TRUE(rate.per_second(start + 50ms));
  EXPECT_NEAR(*rate.per_second(start + 50ms), 400, 0.1);
}

TEST(Rate, IsNotWhatALittleWorkIsAnsweredWith) {
  Rate rate;
  for (io::Time now = start; now < start + 10s; now += 10ms) rate.answered(1, false, now);
  EXPECT_FALSE(rate.per_second(start + 10s));
}

// The line was empty for a while: nobody knows for how long.
TEST(Rate, BeginsAnewWhenTheLineWasEmpty) {
  Rate rate;
  rate.answered(1, true, start);
  rate.answered(30, true, start + 40ms);
  rate.answered(1, false, start + 45ms);
  rate.answered(1, true, start + 500ms);
  EXPECT_FALSE(rate.per_second(start + 500ms));
  rate.answered(10, true, start + 600ms);
  EXPECT_NEAR(*rate.per_second(start + 600ms), 100, 0.1);
}

TEST(Rate, FollowsWhatChanges) {
  Rate rate;
  io::Time now = start;
  rate.answered(0, true, now);
  for (int i = 0; i < 100; ++i) rate.answered(10, true, now += 10ms);
  EXPECT_NEAR(*rate.per_second(now), 1000, 1);
  // One stall is a quarter of a sample...
  rate.answered(10, true, now += 500ms);
  EXPECT_NEAR(*rate.per_second(now), 755, 1);
  // ...and what lasts is the rule.
  for (int i = 0; i < 100; ++i) rate.answered(1, true, now += 10ms);
  EXPECT_NEAR(*rate.per_second(now), 100, 5);
}

// Fewer answers than one a window: the window is as long as the answer takes.
TEST(Rate, OfLongQueries) {
  Rate rate;
  io::Time now = start;
  for (int i = 0; i < 4; ++i) rate.answered(1, true, now += 800ms);
  EXPECT_NEAR(*rate.per_second(now), 1.25, 0.01);
  rate.answered(0, true, now += 100ms);
  EXPECT_NEAR(*rate.per_second(now), 1.25, 0.01) << "a part of an answer is none";
}

TEST(Rate, IsForgottenWhenNothingConfirmsIt) {
  Rate rate;
  rate.answered(1, true, start);
  rate.answered(1, true, start + 100ms);
  EXPECT_TRUE(rate.per_second(start + 1100ms));
  EXPECT_FALSE(rate.per_second(start + 1101ms));
  // The next sample is not averaged with what was forgotten.
  rate.answered(1, false, start + 3s);
  rate.answered(1, true, start + 4s);
  rate.answered(10, true, start + 4100ms);
  EXPECT_NEAR(*rate.per_second(start + 4100ms), 100, 0.1);
}

}  // namespace
}  // namespace ringpost::pg
