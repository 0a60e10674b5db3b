#include "proto/wire/base64.h"

#include <gtest/gtest.h>

using namespace std::string_view_literals;

namespace ringpost::proto::wire {
namespace {

struct Pair {
  std::string_view bytes, text;
};

// RFC 4648, 10 "Test Vectors"; then both ends of the alphabet.
constexpr Pair pairs[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\x00"sv, "AA=="},
    {"\x00\x00\x00\x00"sv, "AAAAAA=="},
    {"\xff\xff\xff", "////"},
    {"\xfb\xef\xbe", "++++"},
};

TEST(Base64, EncodesAndDecodes) {
  for (const auto& [bytes, text] : pairs) {
    EXPECT_EQ(encode_base64(bytes), text);
    EXPECT_EQ(decode_base64(text), bytes) << text;
  }
}

TEST(Base64, ReturnsEveryByte) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(decode_base64(encode_base64(all)), all);
}

TEST(Base64, RefusesEverySpellingButOne) {
  constexpr std::string_view wrong[] = {
      "Z",        "Zg",    "Zg=",    "Zg===",        "=",    "====", "Z===",    "Zg==Zg==",
      "Zm8=Zm9v", "Zm 9v", "Zm9v\n", "Zm9v\n\n\n\n", "Zm9-", "Zm9_", "Zm\x80v", "Zm\0v"sv,
      "=m9v",     "Z=9v",  "Zm=v",
      "Zh==",  // bits behind the last byte
      "Zm9=",
  };
  for (const std::string_view text : wrong) EXPECT_EQ(decode_base64(text), std::nullopt) << text;
}

}  // namespace
}  // namespace ringpost::proto::wire
