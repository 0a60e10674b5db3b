#include "src/doctor/finding.h"

#include <gtest/gtest.h>

namespace ringpost::doctor {
namespace {

TEST(Findings, AreLinesWithWhatToDoBelow) {
  EXPECT_EQ(to_text({fit("good"), note("so so", "better it"), unfit("bad", "do this")}),
            "yes  good\n"
            "but  so so\n"
            "     -> better it\n"
            "NO   bad\n"
            "     -> do this\n");
}

TEST(Findings, AreFitWithoutANo) {
  EXPECT_TRUE(all_fit({}));
  EXPECT_TRUE(all_fit({fit("good"), note("so so", "better it")}));
  EXPECT_FALSE(all_fit({fit("good"), unfit("bad", "do this")}));
}

}  // namespace
}  // namespace ringpost::doctor
