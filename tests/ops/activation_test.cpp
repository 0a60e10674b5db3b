#include "src/ops/activation.h"

#include <gtest/gtest.h>

namespace ringpost::ops {
namespace {

TEST(CountPassed, IsForTheProcessThatIsMeant) {
  EXPECT_EQ(count_passed("42", "3", 42), 3);
  EXPECT_EQ(count_passed("42", "0", 42), 0);
  EXPECT_EQ(count_passed("41", "3", 42), 0);
  EXPECT_EQ(count_passed(nullptr, "3", 42), 0);
  EXPECT_EQ(count_passed("42", nullptr, 42), 0);
}

TEST(CountPassed, SaysWhatIsNoNumber) {
  for (const char* wrong : {"", "x", "-1", "3x", " 3", "99999999999999999999"}) {
    const auto pid = count_passed(wrong, "3", 42);
    ASSERT_FALSE(pid.has_value()) << wrong;
    EXPECT_NE(pid.error().find("LISTEN_PID is '" + std::string(wrong) + "'"), std::string::npos);
    const auto count = count_passed("42", wrong, 42);
    ASSERT_FALSE(count.has_value()) << wrong;
    EXPECT_NE(count.error().find("LISTEN_FDS is '" + std::string(wrong) + "'"), std::string::npos);
  }
}

}  // namespace
}  // namespace ringpost::ops
