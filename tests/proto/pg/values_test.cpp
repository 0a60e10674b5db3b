#include "proto/pg/values.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

using namespace std::string_view_literals;

namespace ringpost::proto::pg {
namespace {

template <class T>
std::string encoded(const T& value) {
  std::string bytes(Value<T>::encoded_size(value), '?');
  Value<T>::encode(bytes.data(), value);
  return bytes;
}

// The bytes are what PostgreSQL's own send function writes for the value: select int4send(-2), and
// so on.
template <class T>
void expect_both_ways(const T& value, std::string_view bytes) {
  EXPECT_EQ(encoded(value), bytes);
  EXPECT_EQ(Value<T>::decode(bytes), value);
  EXPECT_TRUE(Value<T>::size == -1 || Value<T>::size == static_cast<int32_t>(bytes.size()));
}

TEST(Value, Integers) {
  expect_both_ways<int16_t>(-2, "\xff\xfe"sv);
  expect_both_ways<int16_t>(0x0102, "\1\2"sv);
  expect_both_ways<int32_t>(25, "\0\0\0\x19"sv);
  expect_both_ways<int32_t>(std::numeric_limits<int32_t>::min(), "\x80\0\0\0"sv);
  expect_both_ways<int64_t>(10'000, "\0\0\0\0\0\0\x27\x10"sv);
  expect_both_ways<int64_t>(-1, "\xff\xff\xff\xff\xff\xff\xff\xff"sv);
  expect_both_ways<int64_t>(std::numeric_limits<int64_t>::max(),
                            "\x7f\xff\xff\xff\xff\xff\xff\xff"sv);
}

TEST(Value, Bool) {
  expect_both_ways(true, "\1"sv);
  expect_both_ways(false, "\0"sv);
  EXPECT_TRUE(Value<bool>::decode("\xff"sv)) << "boolrecv takes any other byte for true";
}

TEST(Value, Float8) {
  expect_both_ways(1.5, "\x3f\xf8\0\0\0\0\0\0"sv);
  expect_both_ways(-0.0, "\x80\0\0\0\0\0\0\0"sv);
  EXPECT_TRUE(std::signbit(Value<double>::decode("\x80\0\0\0\0\0\0\0"sv)));
  expect_both_ways(std::numeric_limits<double>::infinity(), "\x7f\xf0\0\0\0\0\0\0"sv);
  EXPECT_TRUE(std::isnan(Value<double>::decode("\x7f\xf8\0\0\0\0\0\0"sv)));
}

TEST(Value, TimestamptzCountsFrom2000) {
  expect_both_ways(Timestamptz{0}, "\0\0\0\0\0\0\0\0"sv);
  expect_both_ways(Timestamptz{-1}, "\xff\xff\xff\xff\xff\xff\xff\xff"sv);
  expect_both_ways(Timestamptz{1'000'000}, "\0\0\0\0\0\x0f\x42\x40"sv);
  expect_both_ways(infinity, "\x7f\xff\xff\xff\xff\xff\xff\xff"sv);
  expect_both_ways(minus_infinity, "\x80\0\0\0\0\0\0\0"sv);
}

TEST(Value, UuidIsItsBytesInOrder) {
  const Uuid uuid{{0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14,
                   0x17, 0x40, 0x00}};
  expect_both_ways(uuid, "\x12\x3e\x45\x67\xe8\x9b\x12\xd3\xa4\x56\x42\x66\x14\x17\x40\x00"sv);
}

TEST(Value, TextIsAViewOfTheBytes) {
  expect_both_ways("Zo\xc3\xab"sv, "Zo\xc3\xab"sv);
  expect_both_ways(""sv, ""sv);
  constexpr std::string_view bytes = "same";
  EXPECT_EQ(Value<std::string_view>::decode(bytes).data(), bytes.data());
}

TEST(Value, ReadsItsOwnTypesAlone) {
  struct Case {
    Oid type;
    bool boolean, int2, int4, int8, float8, text, uuid, timestamptz;
  };
  constexpr Case cases[] = {
      {16, true, false, false, false, false, false, false, false},    // bool
      {21, false, true, false, false, false, false, false, false},    // int2
      {23, false, false, true, false, false, false, false, false},    // int4
      {20, false, false, false, true, false, false, false, false},    // int8
      {701, false, false, false, false, true, false, false, false},   // float8
      {25, false, false, false, false, false, true, false, false},    // text
      {1043, false, false, false, false, false, true, false, false},  // varchar
      {1042, false, false, false, false, false, true, false, false},  // bpchar
      {19, false, false, false, false, false, true, false, false},    // name
      {2950, false, false, false, false, false, false, true, false},  // uuid
      {1184, false, false, false, false, false, false, false, true},  // timestamptz
      {1114, false, false, false, false, false, false, false,
       false},                                                        // timestamp: of no known zone
      {26, false, false, false, false, false, false, false, false},   // oid
      {700, false, false, false, false, false, false, false, false},  // float4
      {17, false, false, false, false, false, false, false, false},   // bytea: no text
      {1700, false, false, false, false, false, false, false, false},  // numeric
  };
  for (const Case& one : cases) {
    EXPECT_EQ(Value<bool>::reads(one.type), one.boolean) << one.type;
    EXPECT_EQ(Value<int16_t>::reads(one.type), one.int2) << one.type;
    EXPECT_EQ(Value<int32_t>::reads(one.type), one.int4) << one.type;
    EXPECT_EQ(Value<int64_t>::reads(one.type), one.int8) << one.type;
    EXPECT_EQ(Value<double>::reads(one.type), one.float8) << one.type;
    EXPECT_EQ(Value<std::string_view>::reads(one.type), one.text) << one.type;
    EXPECT_EQ(Value<Uuid>::reads(one.type), one.uuid) << one.type;
    EXPECT_EQ(Value<Timestamptz>::reads(one.type), one.timestamptz) << one.type;
    EXPECT_EQ(Value<std::optional<Uuid>>::reads(one.type), one.uuid) << one.type;
  }
}

}  // namespace
}  // namespace ringpost::proto::pg
