#include "src/ops/log.h"

#include <gtest/gtest.h>

namespace ringpost::ops {
namespace {

TEST(Logfmt, WritesPlainValuesPlainly) {
  EXPECT_EQ(logfmt(Level::info, "ready", {{"port", 8080}, {"host", "::"}}),
            "level=info event=ready port=8080 host=::");
}

TEST(Logfmt, QuotesWhatWouldBreakALine) {
  EXPECT_EQ(logfmt(Level::error, "failed", {{"why", "a \"b\"\nc\\d\x01"}, {"none", ""}}),
            R"(level=error event=failed why="a \"b\"\nc\\d " none="")");
}

TEST(SetLogLevel, KnowsItsNames) {
  EXPECT_TRUE(set_log_level("debug"));
  EXPECT_TRUE(set_log_level("info"));
  EXPECT_FALSE(set_log_level("loud"));
}

}  // namespace
}  // namespace ringpost::ops
