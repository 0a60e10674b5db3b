#include "src/ops/log.h"

#include <string>

#include <gtest/gtest.h>

namespace ringpost::ops {
namespace {

// What the log writes to standard error during `what`.
template <class What>
std::string logged(What what) {
  testing::internal::CaptureStderr();
  what();
  EXPECT_TRUE(end_log());
  return testing::internal::GetCapturedStderr();
}

TEST(Log, WritesALineByItsOwnThread) {
  const std::string text = logged([] { log(Level::info, "ready", {{"port", 8080}}); });
  EXPECT_TRUE(text.ends_with("Z level=info event=ready port=8080\n")) << text;
}

TEST(Log, LeavesOutWhatIsBelowItsLevel) {
  set_log_level(Level::warning);
  const std::string text = logged([] {
    log(Level::info, "quiet");
    log_limited(Level::info, "quiet");
    log(Level::error, "loud");
  });
  set_log_level(Level::info);
  EXPECT_EQ(text.find("quiet"), std::string::npos) << text;
  EXPECT_NE(text.find("loud"), std::string::npos) << text;
}

TEST(Log, SaysHowManyOfAKindItLeftOut) {
  const std::string text = logged([] {
    for (int i = 0; i < 2'500; ++i) log_limited(Level::error, "many", {{"n", i}});
  });
  size_t lines = 0;
  for (size_t at = 0; (at = text.find("event=many n=", at)) != std::string::npos; ++at) ++lines;
  // A second may have begun meanwhile.
  EXPECT_TRUE(lines == 10 || lines == 20) << lines;
  uint64_t left_out = 0;
  constexpr std::string_view told = "event=lines_not_logged kind=many count=";
  for (size_t at = 0; (at = text.find(told, at)) != std::string::npos; ++at)
    left_out += std::stoul(text.substr(at + told.size()));
  EXPECT_EQ(lines + left_out, 2'500u) << text;
}

TEST(WriteLine, IsALine) {
  testing::internal::CaptureStderr();
  write_line("ringpost: no");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "ringpost: no\n");
}

TEST(WriteLine, IsAnObjectWhereTheLogHasObjects) {
  set_log_format(LogFormat::json);
  testing::internal::CaptureStderr();
  write_line("ringpost: \"a\\b\"\tc");
  const std::string text = testing::internal::GetCapturedStderr();
  set_log_format(LogFormat::logfmt);
  const size_t level = text.find(R"(","level")");
  ASSERT_NE(level, std::string::npos) << text;
  EXPECT_EQ(text.substr(level), R"(","level":"error","event":"ended","why":"ringpost: \"a\\b\" c"})"
                                "\n");
}

}  // namespace
}  // namespace ringpost::ops
