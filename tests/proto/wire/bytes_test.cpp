#include "proto/wire/bytes.h"

#include <gtest/gtest.h>

using namespace std::string_view_literals;

namespace ringpost::proto::wire {
namespace {

TEST(Reader, ReadsNetworkByteOrder) {
  Reader reader("\x01\x02\x03\x04\x05\x06\x07\xff\xff\xff\xfe"sv);
  EXPECT_EQ(reader.integer<uint8_t>(), 1);
  EXPECT_EQ(reader.integer<int16_t>(), 0x0203);
  EXPECT_EQ(reader.integer<int32_t>(), 0x04050607);
  EXPECT_EQ(reader.integer<int32_t>(), -2);
  EXPECT_TRUE(reader.finished());
}

TEST(Reader, StopsAtTheFirstReadThatDoesNotFit) {
  Reader reader("\x01\x02\x03"sv);
  EXPECT_EQ(reader.integer<int32_t>(), 0);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.integer<uint8_t>(), 0) << "what follows a failed read is not read";
  EXPECT_EQ(reader.bytes(1), "");
  EXPECT_FALSE(reader.finished());
}

TEST(Reader, TakesStringsUpToTheirZero) {
  Reader reader("user\0db\0tail"sv);
  EXPECT_EQ(reader.string(), "user");
  EXPECT_EQ(reader.string(), "db");
  EXPECT_EQ(reader.string(), "");
  EXPECT_FALSE(reader.ok()) << "a string without its zero is malformed";
}

TEST(Reader, TakesBytesByLength) {
  Reader reader("abcdef"sv);
  EXPECT_EQ(reader.bytes(4), "abcd");
  EXPECT_EQ(reader.bytes(3), "");
  EXPECT_FALSE(reader.ok());
}

TEST(StoreBigEndian, WritesWhatLoadReads) {
  char at[8];
  EXPECT_EQ(store_big_endian<int64_t>(at, 0x0102030405060708), at + 8);
  EXPECT_EQ(std::string_view(at, 8), "\x01\x02\x03\x04\x05\x06\x07\x08"sv);
  EXPECT_EQ(load_big_endian<int64_t>(at), 0x0102030405060708);
  store_big_endian<int16_t>(at, -2);
  EXPECT_EQ(std::string_view(at, 2), "\xff\xfe"sv);
}

}  // namespace
}  // namespace ringpost::proto::wire
