#include "proto/pg/values.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "tests/support/pg_messages.h"

using namespace std::string_literals;
using namespace std::string_view_literals;

namespace ringpost::proto::pg {
namespace {

template <class T>
std::string encoded(const T& value) {
  std::string bytes(Value<T>::encoded_size(value), '?');
  Value<T>::encode(bytes.data(), value);
  return bytes;
}

// As a column is read; the bytes stand flush against the end of their block. What views them is not
// to be looked at.
template <class T>
std::optional<T> decoded(std::string_view bytes) {
  const tests::Exact field(tests::value(bytes));
  const char* at = field.view().data();
  std::optional<T> value(std::in_place);
  if (!decode_field(at, at + field.view().size(), *value)) value.reset();
  return value;
}

// The bytes are what PostgreSQL's own send function writes for the value: select int4send(-2), and
// so on.
template <class T>
void expect_decodes(const T& value, std::string_view bytes) {
  const tests::Exact field(tests::value(bytes));
  const char* at = field.view().data();
  T read{};
  EXPECT_TRUE(decode_field(at, at + field.view().size(), read));
  EXPECT_TRUE(read == value) << testing::PrintToString(bytes);
}
template <class T>
void expect_both_ways(const T& value, std::string_view bytes) {
  EXPECT_EQ(encoded(value), bytes);
  expect_decodes(value, bytes);
  EXPECT_TRUE(Value<T>::size == -1 || Value<T>::size == static_cast<int32_t>(bytes.size()));
}

// And no other length is the value.
template <class T>
void expect_just(const T& value, std::string_view bytes) {
  expect_both_ways(value, bytes);
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decoded<T>(bytes.substr(0, size))) << testing::PrintToString(bytes) << size;
  EXPECT_FALSE(decoded<T>(std::string(bytes) + '\0')) << testing::PrintToString(bytes);
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

TEST(Value, OwnedText) {
  expect_both_ways("Zo\xc3\xab"s, "Zo\xc3\xab"sv);
  expect_both_ways(""s, ""sv);
}

TEST(Value, Float4) {
  expect_just(1.5F, "\x3f\xc0\0\0"sv);
  expect_just(-0.0F, "\x80\0\0\0"sv);
  EXPECT_TRUE(std::signbit(*decoded<float>("\x80\0\0\0"sv)));
  expect_just(std::numeric_limits<float>::infinity(), "\x7f\x80\0\0"sv);
  expect_just(-std::numeric_limits<float>::infinity(), "\xff\x80\0\0"sv);
  expect_just(3.4028235e38F, "\x7f\x7f\xff\xff"sv);
  expect_just(std::numeric_limits<float>::denorm_min(), "\0\0\0\1"sv);
  EXPECT_TRUE(std::isnan(*decoded<float>("\x7f\xc0\0\0"sv)));
  EXPECT_EQ(encoded(std::numeric_limits<float>::quiet_NaN()), "\x7f\xc0\0\0"sv);
}

TEST(Value, DateCountsDaysFrom2000) {
  expect_just(Date{0}, "\0\0\0\0"sv);
  expect_just(Date{-1}, "\xff\xff\xff\xff"sv);
  expect_just(Date{9527}, "\0\0\x25\x37"sv);               // 2026-01-31
  expect_just(Date{-2451507}, "\xff\xda\x97\xcd"sv);       // 4713-01-01 BC
  expect_just(Date{2'145'031'948}, "\x7f\xda\x97\x0c"sv);  // 5874897-12-31
  expect_just(date_infinity, "\x7f\xff\xff\xff"sv);
  expect_just(date_minus_infinity, "\x80\0\0\0"sv);
}

TEST(Value, TimeCountsFromMidnight) {
  expect_just(Time{0}, "\0\0\0\0\0\0\0\0"sv);
  expect_just(Time{14'706'000'007}, "\0\0\0\3\x6c\x8b\xc0\x87"sv);  // 04:05:06.000007
  expect_just(Time{86'400'000'000}, "\0\0\0\x14\x1d\xd7\x60\0"sv);  // 24:00:00
}

TEST(Value, AnOidIsANumberWithoutASign) {
  expect_just<uint32_t>(0xffff'fffe, "\xff\xff\xff\xfe"sv);
  expect_just<uint32_t>(16384, "\0\0\x40\0"sv);
}

TEST(Value, TimestampCountsFrom2000) {
  expect_just(Timestamp{0}, "\0\0\0\0\0\0\0\0"sv);
  expect_just(Timestamp{-1}, "\xff\xff\xff\xff\xff\xff\xff\xff"sv);
  // 2026-01-31 08:00:00.123456
  expect_just(Timestamp{823'161'600'123'456}, "\0\2\xec\xa9\x3e\xc4\xa2\x40"sv);
  expect_just(timestamp_infinity, "\x7f\xff\xff\xff\xff\xff\xff\xff"sv);
  expect_just(timestamp_minus_infinity, "\x80\0\0\0\0\0\0\0"sv);
}

TEST(Value, IntervalIsThreeCounts) {
  expect_just(Interval{}, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"sv);
  // 1 year 2 mons 3 days 04:05:06.000007
  expect_just(Interval{.microseconds = 14'706'000'007, .days = 3, .months = 14},
              "\0\0\0\3\x6c\x8b\xc0\x87\0\0\0\3\0\0\0\x0e"sv);
  // -3 mons 5 days -1 microsecond
  expect_just(Interval{.microseconds = -1, .days = 5, .months = -3},
              "\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\5\xff\xff\xff\xfd"sv);
  expect_just(interval_infinity,
              "\x7f\xff\xff\xff\xff\xff\xff\xff\x7f\xff\xff\xff\x7f\xff\xff\xff"sv);
  expect_just(interval_minus_infinity, "\x80\0\0\0\0\0\0\0\x80\0\0\0\x80\0\0\0"sv);
}

TEST(Value, JsonAndBytea) {
  expect_both_ways(Json{"{\"a\": [1,null]}"}, "{\"a\": [1,null]}"sv);
  expect_both_ways(Bytea{"\0\xff\\"sv}, "\0\xff\\"sv);
  expect_both_ways(Bytea{}, ""sv);
}

TEST(Value, JsonbHasAVersion) {
  expect_both_ways(Jsonb{"{\"a\": [1, null]}"}, "\1{\"a\": [1, null]}"sv);
  EXPECT_FALSE(decoded<Jsonb>(""));
  EXPECT_FALSE(decoded<Jsonb>("\2{}"));
  EXPECT_FALSE(decoded<Jsonb>("{}"));
}

TEST(Value, EnumIsItsLabel) {
  expect_both_ways(Enum{"ok"}, "ok"sv);
}

TEST(Value, NumericHasTheBytesOfTheServer) {
  expect_just(*parse_numeric("12345.678"), "\0\3\0\1\0\0\0\3\0\1\x09\x29\x1a\x7c"sv);
  const std::string_view nan = "\0\0\0\0\xc0\0\0\0"sv, infinite = "\0\0\0\0\xd0\0\0\x20"sv,
                         minus_infinite = "\0\0\0\0\xf0\0\0\x20"sv;
  EXPECT_EQ(decoded<Numeric>(nan), parse_numeric("NaN"));
  EXPECT_EQ(decoded<Numeric>(infinite), parse_numeric("Infinity"));
  EXPECT_EQ(decoded<Numeric>(minus_infinite), parse_numeric("-Infinity"));
}

TEST(Value, Inet) {
  Inet inet{.address = {192, 168, 1, 2}};
  expect_just(inet, "\2\x20\0\4\xc0\xa8\1\2"sv);  // 192.168.1.2
  inet = {.prefix_length = 8, .address = {10, 0, 0, 1}};
  expect_just(inet, "\2\x08\0\4\x0a\0\0\1"sv);  // 10.0.0.1/8
  inet = {.prefix_length = 8, .is_cidr = true, .address = {10}};
  expect_just(inet, "\2\x08\1\4\x0a\0\0\0"sv);  // cidr 10.0.0.0/8
  inet = {.family = Inet::Family::v6, .prefix_length = 64, .address = {0x20, 1, 0xd, 0xb8}};
  inet.address[15] = 5;  // 2001:db8::5/64
  expect_just(inet, "\3\x40\0\x10\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\5"sv);
  inet = {.family = Inet::Family::v6,
          .prefix_length = 32,
          .is_cidr = true,
          .address = {0x20, 1, 0xd, 0xb8}};  // cidr 2001:db8::/32
  expect_just(inet, "\3\x20\1\x10\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0"sv);

  const std::pair<const char*, std::string_view> wrong[] = {
      {"family 1", "\1\x20\0\4\xc0\xa8\1\2"sv},
      {"family 4", "\4\x20\0\4\xc0\xa8\1\2"sv},
      {"33 bits", "\2\x21\0\4\xc0\xa8\1\2"sv},
      {"129 bits", "\3\x81\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"sv},
      {"neither inet nor cidr", "\2\x20\2\4\xc0\xa8\1\2"sv},
      {"IPv4 of 16 bytes", "\2\x20\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"sv},
      {"IPv6 of 4 bytes", "\3\x20\0\4\xc0\xa8\1\2"sv},
      {"a cidr with bits behind its prefix", "\2\x08\1\4\x0a\0\0\1"sv},
      {"a cidr with the next bit", "\2\x09\1\4\x0a\x40\0\0"sv}};
  for (const auto& [what, bytes] : wrong) EXPECT_FALSE(decoded<Inet>(bytes)) << what;
}

TEST(Value, Array) {
  using Ints = std::vector<std::optional<int32_t>>;
  const std::string_view one_null_three =
      "\0\0\0\1\0\0\0\1\0\0\0\x17\0\0\0\3\0\0\0\1\0\0\0\4\0\0\0\1\xff\xff\xff\xff\0\0\0\4\0\0\0\3"sv;
  expect_just(Ints{1, std::nullopt, 3}, one_null_three);
  EXPECT_FALSE(decoded<std::vector<int32_t>>(one_null_three)) << "a NULL where none may be";
  expect_just(Ints{}, "\0\0\0\0\0\0\0\0\0\0\0\x17"sv);
  expect_just(std::vector{"a"sv, ""sv, "Zo\xc3\xab"sv},
              "\0\0\0\1\0\0\0\0\0\0\0\x19\0\0\0\3\0\0\0\1\0\0\0\1a\0\0\0\0\0\0\0\4Zo\xc3\xab"sv);
  expect_just(std::vector{"a"s}, "\0\0\0\1\0\0\0\0\0\0\0\x19\0\0\0\1\0\0\0\1\0\0\0\1a"sv);
  expect_just(std::vector{true, false},
              "\0\0\0\1\0\0\0\0\0\0\0\x10\0\0\0\2\0\0\0\1\0\0\0\1\1\0\0\0\1\0"sv);
  expect_just(std::vector<std::optional<Uuid>>{std::nullopt},
              "\0\0\0\1\0\0\0\1\0\0\x0b\x86\0\0\0\1\0\0\0\1\xff\xff\xff\xff"sv);
  expect_just(std::vector{*parse_numeric("1.5"), *parse_numeric("NaN")},
              "\0\0\0\1\0\0\0\0\0\0\6\xa4\0\0\0\2\0\0\0\1\0\0\0\x0c\0\2\0\0\0\0\0\1\0\1\x13\x88"
              "\0\0\0\x08\0\0\0\0\xc0\0\0\0"sv);
  expect_decodes(std::vector{Enum{"ok"}},
                 "\0\0\0\1\0\0\0\0\0\0\x40\x22\0\0\0\1\0\0\0\1\0\0\0\2ok"sv);
  // [5:6]={1,2}
  expect_decodes(std::vector<int16_t>{1, 2},
                 "\0\0\0\1\0\0\0\0\0\0\0\x15\0\0\0\2\0\0\0\5\0\0\0\2\0\1\0\0\0\2\0\2"sv);
}

TEST(Value, ArrayRefusesWhatDoesNotFit) {
  const std::pair<const char*, std::string_view> wrong[] = {
      {"{{1,2},{3,4}}",
       "\0\0\0\2\0\0\0\0\0\0\0\x17\0\0\0\2\0\0\0\1\0\0\0\2\0\0\0\1\0\0\0\4\0\0\0\1\0\0\0\4\0\0\0\2"
       "\0\0\0\4\0\0\0\3\0\0\0\4\0\0\0\4"sv},
      {"2 dimensions, of which one is there",
       "\0\0\0\2\0\0\0\0\0\0\0\x17\0\0\0\1\0\0\0\1\0\0\0\4\0\0\0\1"sv},
      {"-1 dimensions, of which one is there",
       "\xff\xff\xff\xff\0\0\0\0\0\0\0\x17\0\0\0\1\0\0\0\1\0\0\0\4\0\0\0\1"sv},
      {"-1 dimensions", "\xff\xff\xff\xff\0\0\0\0\0\0\0\x17"sv},
      {"of none, with elements", "\0\0\0\0\0\0\0\0\0\0\0\x17\0\0\0\1\0\0\0\1\0\0\0\4\0\0\0\1"sv},
      {"flags 2", "\0\0\0\1\0\0\0\2\0\0\0\x17\0\0\0\1\0\0\0\1\0\0\0\4\0\0\0\1"sv},
      {"elements of another type", "\0\0\0\1\0\0\0\0\0\0\0\x1a\0\0\0\1\0\0\0\1\0\0\0\4\0\0\0\1"sv},
      {"-1 elements", "\0\0\0\1\0\0\0\0\0\0\0\x17\xff\xff\xff\xff\0\0\0\1\0\0\0\4\0\0\0\1"sv},
      {"2^31 - 1 elements", "\0\0\0\1\0\0\0\0\0\0\0\x17\x7f\xff\xff\xff\0\0\0\1\0\0\0\4\0\0\0\1"sv},
      {"an element of 2^31 - 1",
       "\0\0\0\1\0\0\0\0\0\0\0\x17\0\0\0\1\0\0\0\1\x7f\xff\xff\xff\0\0\0\1"sv},
      {"an element of -2", "\0\0\0\1\0\0\0\0\0\0\0\x17\0\0\0\1\0\0\0\1\xff\xff\xff\xfe"sv},
      {"an element of 3 bytes", "\0\0\0\1\0\0\0\0\0\0\0\x17\0\0\0\1\0\0\0\1\0\0\0\3\0\0\0"sv}};
  for (const auto& [what, bytes] : wrong)
    EXPECT_FALSE(decoded<std::vector<std::optional<int32_t>>>(bytes)) << what;
}

TEST(Value, SizesThatNoLengthCanSayDoNotWrap) {
  const std::string_view endless("x", ~size_t{0});
  EXPECT_GE(Value<std::vector<std::string_view>>::encoded_size({endless, endless}),
            max_message_length);
  EXPECT_GE(Value<Jsonb>::encoded_size({endless}), max_message_length);
  Numeric number;
  number.digits.resize(0x10000);
  EXPECT_GE(Value<Numeric>::encoded_size(number), max_message_length);
}

// Each of the server's types, and one made by users, is read by the C++ types that say so alone.
template <class... Types>
struct Readers {
  static void expect(Oid type, std::vector<bool> wanted) {
    EXPECT_EQ((std::vector<bool>{Value<Types>::reads(type)...}), wanted) << type;
    EXPECT_EQ((std::vector<bool>{Value<std::optional<Types>>::reads(type)...}), wanted) << type;
  }
};

TEST(Value, ArraysReadArraysOfTheirElements) {
  using Arrays = Readers<std::vector<bool>, std::vector<std::optional<int32_t>>,
                         std::vector<std::string>, std::vector<Enum>, std::vector<Inet>>;
  Arrays::expect(1000, {true, false, false, false, false});   // bool[]
  Arrays::expect(1007, {false, true, false, false, false});   // int4[]
  Arrays::expect(1009, {false, false, true, false, false});   // text[]
  Arrays::expect(1015, {false, false, true, false, false});   // varchar[]
  Arrays::expect(1041, {false, false, false, false, true});   // inet[]
  Arrays::expect(651, {false, false, false, false, true});    // cidr[]
  Arrays::expect(16417, {false, false, false, true, false});  // an enum's
  for (const Oid type : {0U, 16U, 23U, 25U, 869U, 2287U})
    Arrays::expect(type, {false, false, false, false, false});
  EXPECT_EQ(Value<std::vector<int64_t>>::sent_as, 1016u);
  EXPECT_EQ(Value<std::vector<Time>>::sent_as, 1183u);
  EXPECT_EQ(Value<std::vector<uint32_t>>::sent_as, 1028u);
  EXPECT_EQ(Value<std::vector<std::optional<Jsonb>>>::sent_as, 3807u);
}

TEST(Value, OtherTypesReadTheirOwnAlone) {
  using Others = Readers<float, Numeric, Date, Timestamp, Interval, Json, Jsonb, Bytea, Enum, Inet,
                         Time, uint32_t>;
  const Oid of[] = {700, 1700, 1082, 1114, 1186, 114, 3802, 17, 16384, 869, 1083, 26};
  for (size_t i = 0; i < std::size(of); ++i) {
    std::vector<bool> wanted(std::size(of));
    wanted[i] = true;
    Others::expect(of[i], wanted);
  }
  const std::vector<bool> none(std::size(of));
  for (const Oid type : {0U, 16U, 20U, 23U, 25U, 701U, 1184U, 1231U, 2950U, 16383U})
    Others::expect(type, none);
  EXPECT_TRUE(Value<Inet>::reads(650)) << "cidr";
  EXPECT_EQ(Value<Enum>::sent_as, 0u) << "the server finds it out";
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
