#include "proto/pg/numeric.h"

#include <gtest/gtest.h>

#include "tests/support/pg_messages.h"

using namespace std::string_view_literals;

namespace ringpost::proto::pg {
namespace {

std::string encoded(const Numeric& number) {
  std::string bytes(8 + 2 * number.digits.size(), '?');
  encode_numeric(bytes.data(), number);
  return bytes;
}

std::optional<Numeric> decoded(std::string_view bytes) {
  const tests::Exact exact(bytes);
  std::optional<Numeric> number(std::in_place);
  if (!decode_numeric(exact.view(), *number)) number.reset();
  return number;
}

// What numeric_out and numeric_send of PostgreSQL 15 write for one value.
struct Case {
  const char* text;
  std::string_view bytes;
};
constexpr Case finite[] = {
    {"0", "\0\0\0\0\0\0\0\0"sv},
    {"0.00", "\0\0\0\0\0\0\0\2"sv},
    {"1", "\0\1\0\0\0\0\0\0\0\1"sv},
    {"-1", "\0\1\0\0\x40\0\0\0\0\1"sv},
    {"10000", "\0\1\0\1\0\0\0\0\0\1"sv},
    {"12345.678", "\0\3\0\1\0\0\0\3\0\1\x09\x29\x1a\x7c"sv},
    {"-0.00012", "\0\2\xff\xff\x40\0\0\5\0\1\x07\xd0"sv},
    {"0.000000001", "\0\1\xff\xfd\0\0\0\x09\x03\xe8"sv},
    {"100000000000000000000", "\0\1\0\5\0\0\0\0\0\1"sv},
    {"99999999", "\0\2\0\1\0\0\0\0\x27\x0f\x27\x0f"sv},
    {"10000.0001", "\0\3\0\1\0\0\0\4\0\1\0\0\0\1"sv},
    {"1.50", "\0\2\0\0\0\0\0\2\0\1\x13\x88"sv},
};

TEST(Numeric, TextAndBytesAreOne) {
  for (const Case& one : finite) {
    const auto number = parse_numeric(one.text);
    ASSERT_TRUE(number) << one.text;
    EXPECT_EQ(encoded(*number), one.bytes) << one.text;
    EXPECT_EQ(decoded(one.bytes), number) << one.text;
    EXPECT_EQ(write_numeric(*number), one.text);
  }
}

TEST(Numeric, HasInfinitiesAndNaN) {
  constexpr Case cases[] = {{"NaN", "\0\0\0\0\xc0\0\0\0"sv},
                            {"Infinity", "\0\0\0\0\xd0\0\0\x20"sv},
                            {"-Infinity", "\0\0\0\0\xf0\0\0\x20"sv}};
  for (const Case& one : cases) {
    const auto number = decoded(one.bytes);
    ASSERT_TRUE(number) << one.text;
    EXPECT_FALSE(number->finite());
    EXPECT_EQ(write_numeric(*number), one.text);
    EXPECT_EQ(parse_numeric(one.text), number);
    EXPECT_EQ(encoded(*number).substr(0, 6), one.bytes.substr(0, 6));
  }
}

TEST(Numeric, AsSmallAndAsLargeAsThereAre) {
  const std::string least = "0." + std::string(16'382, '0') + "1";
  EXPECT_EQ(decoded("\0\1\xf0\0\0\0\x3f\xff\0\x0a"sv), parse_numeric(least));
  EXPECT_EQ(write_numeric(*parse_numeric(least)), least);
  const std::string large = "7" + std::string(131'071, '0');
  EXPECT_EQ(decoded("\0\1\x7f\xff\0\0\0\0\x1b\x58"sv), parse_numeric(large));
  EXPECT_EQ(write_numeric(*parse_numeric(large)), large);
  EXPECT_FALSE(parse_numeric(large + "0"));
  EXPECT_FALSE(parse_numeric(least + "0"));
}

TEST(Numeric, ReadsWhatIsNotItsOwnForm) {
  const std::pair<const char*, const char*> cases[] = {
      {"+1", "1"}, {"007", "7"}, {".5", "0.5"}, {"5.", "5"}, {"-0.0", "0.0"}, {"0000.10", "0.10"}};
  for (const auto& [text, written] : cases) {
    const auto number = parse_numeric(text);
    ASSERT_TRUE(number) << text;
    EXPECT_EQ(write_numeric(*number), written);
    EXPECT_EQ(number, parse_numeric(written)) << text;
  }
}

TEST(Numeric, RefusesOtherText) {
  for (const char* text : {"", ".", "-", "+", "-.", "1e5", " 1", "1 ", "1.2.3", "--1", "+-1", "0x1",
                           "1,000", "nan", "inf", "-NaN", "+Infinity", "1_0"})
    EXPECT_FALSE(parse_numeric(text)) << text;
}

TEST(Numeric, RefusesEveryPrefixAndAnythingMore) {
  for (const Case& one : finite) {
    for (size_t size = 0; size < one.bytes.size(); ++size)
      EXPECT_FALSE(decoded(one.bytes.substr(0, size))) << one.text << ' ' << size;
    EXPECT_FALSE(decoded(std::string(one.bytes) + '\0')) << one.text;
    EXPECT_FALSE(decoded(std::string(one.bytes) + "\1\1")) << one.text;
  }
}

TEST(Numeric, RefusesWhatNumericRecvDoes) {
  const Case cases[] = {{"an unknown kind", "\0\0\0\0\x80\0\0\0"sv},
                        {"an unknown kind", "\0\0\0\0\0\1\0\0"sv},
                        {"a digit of 10,000", "\0\1\0\0\0\0\0\0\x27\x10"sv},
                        {"a digit of -1", "\0\1\0\0\0\0\0\0\xff\xff"sv},
                        {"a scale of 16,384", "\0\0\0\0\0\0\x40\0"sv},
                        {"65,535 digits that are not there", "\xff\xff\0\0\0\0\0\0\0\1"sv},
                        {"a NaN with digits", "\0\1\0\0\xc0\0\0\0\0\1"sv}};
  for (const Case& one : cases) EXPECT_FALSE(decoded(one.bytes)) << one.text;
}

TEST(Numeric, ZerosThatAreSentAreKept) {
  // No server sends them; the form is allowed by numeric_recv.
  const auto number = decoded("\0\3\0\1\0\0\0\1\0\0\0\7\0\0"sv);
  ASSERT_TRUE(number);
  EXPECT_EQ(write_numeric(*number), "7.0");
}

}  // namespace
}  // namespace ringpost::proto::pg
