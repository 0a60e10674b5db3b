#include "src/ops/log_limits.h"

#include <gtest/gtest.h>

namespace ringpost::ops {
namespace {

using namespace std::chrono_literals;

TEST(LogLimits, AdmitsTenOfAKindInASecond) {
  LogLimits limits;
  for (unsigned i = 0; i < LogLimits::most; ++i) EXPECT_TRUE(limits.admit("a", 5s));
  EXPECT_FALSE(limits.admit("a", 5s));
  EXPECT_TRUE(limits.admit("b", 5s));  // another kind
  EXPECT_TRUE(limits.admit("a", 6s));  // another second
}

TEST(LogLimits, TellsOnceHowManyThereWere) {
  LogLimits limits;
  for (unsigned i = 0; i < LogLimits::most + 3; ++i) limits.admit("a", 5s);
  EXPECT_TRUE(limits.any_untold());
  EXPECT_EQ(limits.take(5s), LogLimits::Untold{});  // its second has not passed
  EXPECT_EQ(limits.take(6s), (LogLimits::Untold{{"a", 3}}));
  EXPECT_EQ(limits.take(7s), LogLimits::Untold{});
  EXPECT_FALSE(limits.any_untold());
}

TEST(LogLimits, KeepsWhatWasNotToldInTime) {
  LogLimits limits;
  for (unsigned i = 0; i < LogLimits::most + 1; ++i) limits.admit("a", 5s);
  for (unsigned i = 0; i < LogLimits::most + 1; ++i) limits.admit("a", 6s);
  EXPECT_EQ(limits.take(7s), (LogLimits::Untold{{"a", 2}}));
}

}  // namespace
}  // namespace ringpost::ops
