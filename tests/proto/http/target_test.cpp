#include "proto/http/target.h"

#include <limits>

#include <gtest/gtest.h>

#include "tests/support/guarded.h"

using namespace std::string_view_literals;

namespace ringpost::proto::http {
namespace {

TEST(SplitTarget, KnowsEveryForm) {
  struct Case {
    std::string_view target, path, query;
  };
  constexpr Case cases[] = {
      {"/", "/", ""},
      {"/users", "/users", ""},
      {"/users?", "/users", ""},
      {"/users?a=b", "/users", "a=b"},
      {"/users?a?b/c", "/users", "a?b/c"},
      {"/a/../b/.", "/a/../b/.", ""},
      {"//a//", "//a//", ""},
      {"/http://b/?c", "/http://b/", "c"},
      {"/%3Fa?b", "/%3Fa", "b"},
      {"http://b/users?a", "/users", "a"},
      {"http://b", "/", ""},
      {"http://b?a/b", "/", "a/b"},
      {"HTTP://[::1]:80/a", "/a", ""},
      {"*", "*", ""},
      {"b:443", "b:443", ""},
  };
  for (const auto& [target, path, query] : cases) {
    const tests::Guarded input(target);
    const Target parts = split_target(input.view());
    EXPECT_EQ(parts.path, path) << target;
    EXPECT_EQ(parts.query, query) << target;
  }
}

TEST(WellEscaped, WantsTwoDigitsBehindEveryPercent) {
  for (const std::string_view text : {"", "a", "%00", "%aF%Fa", "%25%", "%2525"}) {
    const tests::Guarded input(text);
    EXPECT_EQ(well_escaped(input.view()), text != "%25%") << text;
  }
  for (const std::string_view text :
       {"%", "a%", "%a", "%ag", "%ga", "%%20", "%2%20", "% 20", "%u0041"}) {
    const tests::Guarded input(text);
    EXPECT_FALSE(well_escaped(input.view())) << text;
  }
}

TEST(PercentDecode, GivesTheTextItselfWhenNothingIsEscaped) {
  wire::Buffer space;
  const std::string_view text = "/a+b;c";
  EXPECT_EQ(percent_decode(text, space).data(), text.data());
  EXPECT_EQ(space.capacity(), 0U) << "nothing is allocated";
}

TEST(PercentDecode, DecodesOnce) {
  struct Case {
    std::string_view text, decoded;
  };
  constexpr Case cases[] = {
      {"", ""},
      {"%41", "A"},
      {"a%20b%2Fc", "a b/c"},
      {"%2525", "%25"},
      {"%00", "\0"sv},
      {"%fF%C3%a9", "\xff\xc3\xa9"},
      {"x%79", "xy"},
      // None of these is an escape.
      {"%", "%"},
      {"%4", "%4"},
      {"%%41", "%A"},
      {"%4g%41", "%4gA"},
  };
  wire::Buffer space;
  for (const auto& [text, decoded] : cases) {
    const tests::Guarded input(text);
    EXPECT_EQ(percent_decode(input.view(), space), decoded) << text;
  }
}

TEST(TakePair, SeparatesByAmpersandAlone) {
  std::string_view query = "a=1&b&=2&&c=d=e;f=g&h=";
  constexpr std::pair<std::string_view, std::string_view> pairs[] = {
      {"a", "1"}, {"b", ""}, {"", "2"}, {"", ""}, {"c", "d=e;f=g"}, {"h", ""}};
  for (const auto& [name, value] : pairs) {
    ASSERT_FALSE(query.empty());
    const Pair pair = take_pair(query);
    EXPECT_EQ(pair.name, name);
    EXPECT_EQ(pair.value, value);
  }
  EXPECT_TRUE(query.empty());
}

TEST(FindParameter, TellsAbsentOnceAndRepeatedApart) {
  using enum Parameter::Found;
  struct Case {
    std::string_view query;
    Parameter::Found found;
    std::string_view value;
  };
  constexpr Case cases[] = {
      {"", no, ""},
      {"limit", once, ""},
      {"limit=", once, ""},
      {"limit=5", once, "5"},
      {"limit=%35", once, "%35"},
      {"limit=5=6", once, "5=6"},
      {"limit=5;offset=6", once, "5;offset=6"},
      {"limit=+5", once, "+5"},
      {"a=b&limit=5&c", once, "5"},
      {"%6cimi%74=5", once, "5"},
      {"Limit=5", no, ""},
      {"limit%00=5", no, ""},
      {"limits=5&xlimit=6&lim=7", no, ""},
      {"limit=5&limit=5", repeatedly, ""},
      {"limit&x&%6Cimit", repeatedly, ""},
      {"x=limit=5", no, ""},
  };
  wire::Buffer space;
  for (const auto& [query, found, value] : cases) {
    const tests::Guarded input(query);
    const Parameter parameter = find_parameter(input.view(), "limit", space);
    EXPECT_EQ(parameter.found, found) << query;
    EXPECT_EQ(parameter.value, value) << query;
  }
}

TEST(ParseDecimal, TakesDigitsAlone) {
  constexpr uint64_t most_int64 = std::numeric_limits<int64_t>::max(), most = UINT64_MAX;
  struct Case {
    std::string_view text;
    uint64_t limit;
    std::optional<uint64_t> value;
  };
  constexpr Case cases[] = {
      {"0", 200, 0},
      {"200", 200, 200},
      {"201", 200, std::nullopt},
      {"000000000000000000000000000200", 200, 200},
      {"9223372036854775807", most_int64, most_int64},
      {"9223372036854775808", most_int64, std::nullopt},
      {"18446744073709551615", most, most},
      {"18446744073709551616", most, std::nullopt},
      {"99999999999999999999", most, std::nullopt},
      {"1", 0, std::nullopt},
      {"", 200, std::nullopt},
      {"-0", 200, std::nullopt},
      {"+1", 200, std::nullopt},
      {" 1", 200, std::nullopt},
      {"1 ", 200, std::nullopt},
      {"1.0", 200, std::nullopt},
      {"1e1", 200, std::nullopt},
      {"0x1", 200, std::nullopt},
      {"1\0"sv, 200, std::nullopt},
      {"\xd9\xa1", 200, std::nullopt},
  };
  for (const auto& [text, limit, value] : cases)
    EXPECT_EQ(parse_decimal(text, limit), value) << text << " at most " << limit;
}

}  // namespace
}  // namespace ringpost::proto::http
