#include "src/ops/hidden_variables.h"

#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

namespace ringpost::ops {
namespace {

TEST(HiddenVariables, TheOldPlaceIsOverwrittenAndTheValueStays) {
  char block[] = "RINGPOST_TEST_SECRET=p=en cil";
  ASSERT_EQ(::putenv(block), 0);
  ASSERT_EQ(std::getenv("RINGPOST_TEST_SECRET"), block + 21);
  hide_variables({"RINGPOST_TEST_SECRET", "RINGPOST_TEST_ABSENT"});
  EXPECT_EQ(std::string(block, sizeof block),
            std::string("RINGPOST_TEST_SECRET=") + std::string(sizeof block - 21, '\0'));
  EXPECT_STREQ(std::getenv("RINGPOST_TEST_SECRET"), "p=en cil");
  EXPECT_EQ(std::getenv("RINGPOST_TEST_ABSENT"), nullptr);
  ::unsetenv("RINGPOST_TEST_SECRET");
}

}  // namespace
}  // namespace ringpost::ops
