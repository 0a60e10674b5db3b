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

// Each is done by both implementations, whichever of them this machine takes.
std::string written(const Uuid& uuid) {
  std::string out(uuid_text_length, '?'), portably = out;
  EXPECT_EQ(write_uuid(out.data(), uuid), out.data() + uuid_text_length);
  EXPECT_EQ(portable::write_uuid(portably.data(), uuid), portably.data() + uuid_text_length);
  EXPECT_EQ(out, portably);
  return out;
}
std::optional<Uuid> parsed(std::string_view from) {
  const tests::Guarded guarded(from);
  const std::optional<Uuid> uuid = parse_uuid(guarded.view());
  EXPECT_EQ(uuid, portable::parse_uuid(guarded.view())) << from;
  return uuid;
}

TEST(ParseUuid, EitherCase) {
  EXPECT_EQ(parsed(text), value);
  EXPECT_EQ(parsed("123E4567-E89B-12D3-A456-426614174000"), value);
  EXPECT_EQ(parsed("123e4567-E89b-12D3-a456-426614174000"), value);
  EXPECT_EQ(parsed("00000000-0000-0000-0000-000000000000"), Uuid{});
}

TEST(ParseUuid, NothingElse) {
  for (const std::string_view other :
       {"", "123e4567", "123e4567-e89b-12d3-a456-42661417400",
        "123e4567-e89b-12d3-a456-4266141740000", "123e4567e89b12d3a456426614174000",
        "{123e4567-e89b-12d3-a456-42661417400}", "123e4567-e89b-12d3-a45-6426614174000",
        " 23e4567-e89b-12d3-a456-426614174000"})
    EXPECT_EQ(parsed(other), std::nullopt) << other;
}

TEST(ParseUuid, EachCharacterAtEachPlace) {
  for (size_t place = 0; place < text.size(); ++place) {
    for (int c = 0; c < 256; ++c) {
      std::string changed(text);
      changed[place] = static_cast<char>(c);
      const bool hyphen = text[place] == '-';
      const bool digit = std::string_view("0123456789abcdefABCDEF").find(static_cast<char>(c)) !=
                         std::string_view::npos;
      ASSERT_EQ(parsed(changed).has_value(), hyphen ? c == '-' : digit) << changed;
    }
  }
}

// A digit's neighbours in other places must not be mistaken for it: two characters at once.
TEST(ParseUuid, AnyTwoCharacters) {
  std::mt19937 random(2);
  for (int i = 0; i < 200'000; ++i) {
    std::string changed(text);
    bool valid = true;
    for (int j = 0; j < 2; ++j) {
      const size_t place = random() % changed.size();
      changed[place] = static_cast<char>(random());
    }
    for (size_t place = 0; place < text.size(); ++place)
      valid &= text[place] == '-'
                   ? changed[place] == '-'
                   : std::string_view("0123456789abcdefABCDEF").contains(changed[place]);
    ASSERT_EQ(parsed(changed).has_value(), valid) << changed;
  }
}

TEST(ParseUuid, EachByteInEachPlace) {
  for (size_t place = 0; place < 16; ++place) {
    for (int byte = 0; byte < 256; ++byte) {
      Uuid uuid = value;
      uuid.bytes[place] = static_cast<uint8_t>(byte);
      std::string lower = written(uuid), upper = lower;
      for (char& c : upper)
        if (c >= 'a') c = static_cast<char>(c - 'a' + 'A');
      ASSERT_EQ(parsed(lower), uuid) << lower;
      ASSERT_EQ(parsed(upper), uuid) << upper;
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
    ASSERT_EQ(parsed(written(uuid)), uuid);
  }
}

}  // namespace
}  // namespace ringpost::proto::pg
