#include "proto/pg/uuid.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/guarded.h"

namespace ringpost::proto::pg {
namespace {

constexpr std::string_view text = "123e4567-e89b-12d3-a456-426614174000";
constexpr Uuid value{{0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14,
                      0x17, 0x40, 0x00}};

std::string written(const Uuid& uuid) {
  std::string out(uuid_text_length, '?');
  EXPECT_EQ(write_uuid(out.data(), uuid), out.data() + uuid_text_length);
  return out;
}

TEST(ParseUuid, EitherCase) {
  EXPECT_EQ(parse_uuid(text), value);
  EXPECT_EQ(parse_uuid("123E4567-E89B-12D3-A456-426614174000"), value);
  EXPECT_EQ(parse_uuid("123e4567-E89b-12D3-a456-426614174000"), value);
  EXPECT_EQ(parse_uuid("00000000-0000-0000-0000-000000000000"), Uuid{});
}

TEST(ParseUuid, NothingElse) {
  for (const std::string_view other :
       {"", "123e4567", "123e4567-e89b-12d3-a456-42661417400",
        "123e4567-e89b-12d3-a456-4266141740000", "123e4567e89b12d3a456426614174000",
        "{123e4567-e89b-12d3-a456-42661417400}", "123e4567-e89b-12d3-a45-6426614174000",
        " 23e4567-e89b-12d3-a456-426614174000"})
    EXPECT_EQ(parse_uuid(other), std::nullopt) << other;
}

TEST(ParseUuid, EachCharacterAtEachPlace) {
  for (size_t place = 0; place < text.size(); ++place) {
    for (int c = 0; c < 256; ++c) {
      std::string changed(text);
      changed[place] = static_cast<char>(c);
      const bool hyphen = text[place] == '-';
      const bool digit = std::string_view("0123456789abcdefABCDEF").find(static_cast<char>(c)) !=
                         std::string_view::npos;
      const tests::Guarded guarded(changed);
      ASSERT_EQ(parse_uuid(guarded.view()).has_value(), hyphen ? c == '-' : digit) << changed;
    }
  }
}

TEST(WriteUuid, LowerCaseWithHyphens) {
  EXPECT_EQ(written(value), text);
  EXPECT_EQ(written(Uuid{}), "00000000-0000-0000-0000-000000000000");
}

TEST(Uuid, ReadsBackWhatItWrote) {
  std::mt19937 random(1);
  for (int i = 0; i < 10000; ++i) {
    Uuid uuid;
    for (uint8_t& byte : uuid.bytes) byte = static_cast<uint8_t>(random());
    ASSERT_EQ(parse_uuid(written(uuid)), uuid);
  }
}

}  // namespace
}  // namespace ringpost::proto::pg
