#include "src/ops/log_format.h"

#include <initializer_list>
#include <limits>

#include <gtest/gtest.h>

namespace ringpost::ops {
namespace {

std::string line(LogFormat format, Level level, std::string_view event,
                 std::initializer_list<Field> fields) {
  const std::span<const Field> all(fields.begin(), fields.size());
  return format == LogFormat::json ? json(level, event, all) : logfmt(level, event, all);
}

TEST(Logfmt, WritesPlainValuesPlainly) {
  EXPECT_EQ(line(LogFormat::logfmt, Level::info, "ready", {{"port", 8080}, {"host", "::"}}),
            "level=info event=ready port=8080 host=::");
}

TEST(Logfmt, QuotesWhatWouldBreakALine) {
  EXPECT_EQ(
      line(LogFormat::logfmt, Level::error, "failed", {{"why", "a \"b\"\nc\\d\x01"}, {"none", ""}}),
      R"(level=error event=failed why="a \"b\"\nc\\d " none="")");
}

TEST(Json, HasNumbersAsNumbersAndTextAsText) {
  EXPECT_EQ(
      line(LogFormat::json, Level::warning, "ready",
           {{"port", 8080}, {"left", -1}, {"share", 0.5}, {"id", "8080"}}),
      R"("level":"warning","event":"ready","port":8080,"left":-1,"share":0.500000,"id":"8080"})");
  // Neither is JSON.
  EXPECT_EQ(line(LogFormat::json, Level::info, "x",
                 {{"a", std::numeric_limits<double>::infinity()},
                  {"b", -std::numeric_limits<double>::quiet_NaN()}}),
            R"("level":"info","event":"x","a":"inf","b":"-nan"})");
}

TEST(Json, EscapesWhatItMust) {
  const struct {
    std::string_view text, written;
  } cases[] = {
      {"plain /", R"("plain /")"},
      {"a\"b\\c", R"("a\"b\\c")"},
      {"a\nb", R"("a\nb")"},
      {std::string_view("\0\x01\x1f\x7f", 4), R"("\u0000\u0001\u001f\u007f")"},
      {"", R"("")"},
  };
  for (const auto& each : cases) {
    std::string written;
    append_json_string(written, each.text);
    EXPECT_EQ(written, each.written);
  }
}

TEST(Json, KeepsUtf8AndReplacesWhatIsNone) {
  const struct {
    std::string_view text, written;
  } cases[] = {
      {"\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x98\x80", "\"\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x98\x80\""},
      {"\xc3", "\"\xef\xbf\xbd\""},                                  // cut short
      {"\xe4\xb8", "\"\xef\xbf\xbd\xef\xbf\xbd\""},                  // the same, of three
      {"\xf0\x9f\x98", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},  // of four
      {"a\x80z", "\"a\xef\xbf\xbdz\""},                              // begins with none
      {"\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\""},                  // overlong
      {"\xe0\x9f\xbf", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},  // overlong
      {"\xf0\x8f\xbf\xbf", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
      {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},  // a surrogate
      {"\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
      {"\xff", "\"\xef\xbf\xbd\""},
      {"\xed\x9f\xbf\xf4\x8f\xbf\xbf", "\"\xed\x9f\xbf\xf4\x8f\xbf\xbf\""},  // the last before
  };
  for (const auto& each : cases) {
    std::string written;
    append_json_string(written, each.text);
    EXPECT_EQ(written, each.written);
  }
}

TEST(LogFormat, KnowsItsNames) {
  EXPECT_EQ(level_of("debug"), Level::debug);
  EXPECT_EQ(level_of("error"), Level::error);
  EXPECT_EQ(level_of("loud"), std::nullopt);
  EXPECT_EQ(log_format_of("json"), LogFormat::json);
  EXPECT_EQ(log_format_of("logfmt"), LogFormat::logfmt);
  EXPECT_EQ(log_format_of("xml"), std::nullopt);
}

}  // namespace
}  // namespace ringpost::ops
