#include "src/service/parameter.h"

#include <gtest/gtest.h>

namespace ringpost::service {
namespace {

using namespace std::string_literals;

TEST(Integer, IsOfDigitsWithinItsBounds) {
  constexpr Integer type{.least = 5, .most = 20};
  for (const std::string_view text : {"5", "20", "007"}) EXPECT_TRUE(type.read(text)) << text;
  EXPECT_EQ(type.read("12"), 12);
  for (const std::string_view text :
       {"", "4", "21", "-7", "+7", "7.0", " 7", "7 ", "x", "0x7", "99999999999999999999999"})
    EXPECT_FALSE(type.read(text)) << text;
  EXPECT_EQ(Integer{}.read("9223372036854775807"), 9223372036854775807);
  EXPECT_FALSE(Integer{}.read("9223372036854775808"));
  EXPECT_EQ(type.schema(), R"({"type":"integer","format":"int64","minimum":5,"maximum":20})");
  EXPECT_EQ((Integer{.most = 1, .otherwise = 0}.schema()),
            R"({"type":"integer","format":"int64","minimum":0,"maximum":1,"default":0})");
}

TEST(Text, IsUtf8OfSoManyBytes) {
  constexpr Text type{.least_bytes = 2, .most_bytes = 6};
  for (const std::string text : {"ab", "abcdef", "Zo\xc3\xab", "a b/%"})
    EXPECT_EQ(type.read(text), text);
  for (const std::string& text : {""s, "a"s, "abcdefg"s, "a\0b"s, "ab\xff"s, "ab\xc3"s})
    EXPECT_FALSE(type.read(text)) << text;
  EXPECT_EQ(type.schema(), R"({"type":"string","minLength":1,"maxLength":6})");
}

TEST(Text, MayBeOfSomeCharactersAlone) {
  constexpr Text type{.least_bytes = 1, .most_bytes = 8, .characters = "0-9A-Fx_-"};
  for (const std::string_view text : {"0", "9AF", "x_-", "5-5"})
    EXPECT_TRUE(type.read(text)) << text;
  for (const std::string_view text : {"", "a", "G", "1 ", "123456789", "\xc3\xab"})
    EXPECT_FALSE(type.read(text)) << text;
  EXPECT_EQ(type.schema(),
            R"({"type":"string","minLength":1,"maxLength":8,"pattern":"^[0-9A-Fx_-]*$"})");
}

constexpr auto limit = in_query<"limit">(Integer{.least = 1, .most = 9, .otherwise = 4});
constexpr auto code = in_query<"code">(Text{.most_bytes = 3});

template <class Parameter>
auto value_in(const Parameter& parameter, std::string_view query) {
  proto::wire::Buffer name, value;
  return parameter.read(query, name, value);
}

TEST(QueryParameter, IsGivenOnceOrLeftOutWhereItHasAValueForThat) {
  EXPECT_EQ(value_in(limit, ""), 4);
  EXPECT_EQ(value_in(limit, "x=1&limits=2"), 4);
  EXPECT_EQ(value_in(limit, "a&limit=7&b"), 7);
  EXPECT_EQ(value_in(limit, "l%69mit=%37"), 7);
  for (const std::string_view query : {"limit", "limit=", "limit=0", "limit=1&limit=1", "limit=1;"})
    EXPECT_EQ(value_in(limit, query), std::nullopt) << query;
  EXPECT_EQ(value_in(code, "code=%41b"), "Ab");
  EXPECT_EQ(value_in(code, ""), std::nullopt);
  EXPECT_EQ(value_in(code, "code=abcd"), std::nullopt);
}

TEST(Parameter, SaysWhichIsInvalid) {
  EXPECT_EQ(limit.error(), R"({"error":"invalid_limit"})");
  EXPECT_EQ((in_path<"id">(Uuid{}).error()), R"({"error":"invalid_id"})");
}

}  // namespace
}  // namespace ringpost::service
