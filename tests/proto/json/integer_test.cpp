#include "proto/json/integer.h"

#include <cstdint>
#include <limits>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace ringpost::proto::json {
namespace {

template <class T>
std::string written(T value) {
  char at[integer_room + 1];
  at[integer_room] = '#';
  char* const end = write_integer(at, value);
  EXPECT_EQ(at[integer_room], '#');
  return {at, end};
}

TEST(WriteInteger, Literally) {
  EXPECT_EQ(written(0), "0");
  EXPECT_EQ(written(7), "7");
  EXPECT_EQ(written(-1), "-1");
  EXPECT_EQ(written(42), "42");
  EXPECT_EQ(written(100), "100");
  EXPECT_EQ(written(12345678), "12345678");
  EXPECT_EQ(written(123456789), "123456789");
  EXPECT_EQ(written(int64_t{1'0000'0001}), "100000001");
  EXPECT_EQ(written(int64_t{1'0000'0000'0000'0001}), "10000000000000001");
}

TEST(WriteInteger, Limits) {
  EXPECT_EQ(written(std::numeric_limits<int8_t>::min()), "-128");
  EXPECT_EQ(written(std::numeric_limits<int16_t>::min()), "-32768");
  EXPECT_EQ(written(std::numeric_limits<uint16_t>::max()), "65535");
  EXPECT_EQ(written(std::numeric_limits<int32_t>::min()), "-2147483648");
  EXPECT_EQ(written(std::numeric_limits<int32_t>::max()), "2147483647");
  EXPECT_EQ(written(std::numeric_limits<uint32_t>::max()), "4294967295");
  EXPECT_EQ(written(std::numeric_limits<int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(written(std::numeric_limits<int64_t>::max()), "9223372036854775807");
  EXPECT_EQ(written(std::numeric_limits<uint64_t>::max()), "18446744073709551615");
}

TEST(WriteInteger, AroundEachPowerOfTen) {
  uint64_t power = 1;
  for (int digits = 1; digits <= 20; ++digits, power *= 10) {
    for (const uint64_t value : {power - 1, power, power + 1, power * 9 / 5})
      ASSERT_EQ(written(value), std::to_string(value));
    const auto negative = -static_cast<int64_t>(power / 2);
    ASSERT_EQ(written(negative), std::to_string(negative));
  }
}

// Each number of four digits stands in each place where four digits are split at once.
TEST(WriteInteger, EachFourDigitsInEachPlace) {
  for (uint64_t four = 0; four < 10'000; ++four) {
    for (uint64_t unit = 1; unit <= 1'000'000'000'000; unit *= 10'000) {
      const uint64_t value = four * unit, longer = value + 10'000'000'000'000'000;
      ASSERT_EQ(written(value), std::to_string(value));
      ASSERT_EQ(written(longer), std::to_string(longer));
    }
  }
}

TEST(WriteInteger, AnyOfAnySize) {
  std::mt19937_64 random(13);
  for (int i = 0; i < 500'000; ++i) {
    const uint64_t value = random() >> random() % 64;
    ASSERT_EQ(written(value), std::to_string(value));
    ASSERT_EQ(written(static_cast<int64_t>(value)), std::to_string(static_cast<int64_t>(value)));
    ASSERT_EQ(written(static_cast<int32_t>(value)), std::to_string(static_cast<int32_t>(value)));
  }
}

}  // namespace
}  // namespace ringpost::proto::json
