// Objects, arrays and values of the program's own types, and what they read back as.
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <simdjson.h>

#include "proto/json/pg_formats.h"
#include "tests/proto/json/written_slowly.h"
#include "tests/support/guarded.h"

namespace ringpost::proto::json {

struct Color {
  uint8_t red;
};
template <>
struct Format<Color> {
  static constexpr size_t most = 4;
  static char* write(char* at, Color color) {
    constexpr char digits[] = "0123456789abcdef";
    for (const char c : {'"', digits[color.red >> 4], digits[color.red & 15], '"'}) *at++ = c;
    return at;
  }
};

namespace {

constexpr pg::Uuid id{{0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14,
                       0x17, 0x40, 0x00}};
constexpr pg::Timestamptz moment{823'161'600'000'000};

template <class Write>
std::string text_of(Write write, size_t expected = 0) {
  wire::Buffer out;
  {
    Writer json(out, expected);
    write(json);
  }
  return std::string(out.view());
}

TEST(WriterObject, OfEachType) {
  EXPECT_EQ(text_of([](Writer& json) {
              json.object(field<"id">(id), field<"email">(std::string_view("a@b.c")),
                          field<"name">("literal"), field<"text">(std::string("owned")),
                          field<"age">(25), field<"total">(int64_t{-10'000'000'000}),
                          field<"most">(UINT64_MAX), field<"is_active">(true),
                          field<"deleted">(false), field<"none">(nullptr),
                          field<"created_at">(moment));
            }),
            R"({"id":"123e4567-e89b-12d3-a456-426614174000","email":"a@b.c","name":"literal",)"
            R"("text":"owned","age":25,"total":-10000000000,"most":18446744073709551615,)"
            R"("is_active":true,"deleted":false,"none":null,"created_at":"2026-01-31T08:00:00Z"})");
}

TEST(WriterObject, AnEmptyOptionalIsNull) {
  const auto write = [](auto... values) {
    return text_of([&](Writer& json) { (json.object(field<"value">(values)), ...); });
  };
  EXPECT_EQ(write(std::optional<pg::Uuid>()), R"({"value":null})");
  EXPECT_EQ(write(std::optional<pg::Timestamptz>()), R"({"value":null})");
  EXPECT_EQ(write(std::optional<std::string_view>()), R"({"value":null})");
  EXPECT_EQ(write(std::optional<int32_t>()), R"({"value":null})");
  EXPECT_EQ(write(std::optional<bool>()), R"({"value":null})");
  EXPECT_EQ(write(std::optional(id)), R"({"value":"123e4567-e89b-12d3-a456-426614174000"})");
  EXPECT_EQ(write(std::optional(std::string_view(""))), R"({"value":""})");
  EXPECT_EQ(write(std::optional(0)), R"({"value":0})");
  EXPECT_EQ(write(std::optional(false)), R"({"value":false})");
}

TEST(WriterObject, WithoutFields) {
  EXPECT_EQ(text_of([](Writer& json) { json.object(); }), "{}");
}

TEST(WriterObject, AfterAnotherAndInAnArray) {
  EXPECT_EQ(text_of([](Writer& json) {
              json.raw("[").object(field<"a">(1)).raw(",").object(field<"b">("\n")).raw("]");
            }),
            R"([{"a":1},{"b":"\n"}])");
}

TEST(WriterValue, OfTheProgramsOwnType) {
  EXPECT_EQ(
      text_of([](Writer& json) { json.value(Color{7}).raw(",").value(std::optional<Color>()); }),
      R"("07",null)");
}

// Room is asked for once an object; whatever is escaped within must leave enough for the rest. Each
// buffer starts as small as it can, and is exactly as large as a power of two.
TEST(WriterObject, EscapesAnywhereWithLittleRoom) {
  std::mt19937 random(17);
  for (size_t round = 0; round < 4000; ++round) {
    const auto text = [&] {
      std::string chosen(random() % 4 == 0 ? random() % 1500 : random() % 40, 'x');
      const auto rarity = 1 + random() % 30;
      for (char& c : chosen)
        if (random() % rarity == 0) c = "\"\\\n\x01\x1f"[random() % 5];
      return chosen;
    };
    const std::string first = text(), second = text(), third = text();
    const tests::Guarded guarded(second);
    wire::Buffer out;
    out.append(std::string(random() % 600, ' '));
    const std::string before(out.view());
    {
      Writer json(out, 0);
      json.object(field<"first">(std::optional(std::string_view(first))),
                  field<"second">(guarded.view()), field<"id">(id), field<"third">(third),
                  field<"age">(INT64_MIN));
      json.raw(",").value(std::optional(std::string_view(third)));
    }
    ASSERT_EQ(out.view(), before + R"({"first":)" + written_slowly(first) + R"(,"second":)" +
                              written_slowly(second) +
                              R"(,"id":"123e4567-e89b-12d3-a456-426614174000","third":)" +
                              written_slowly(third) + R"(,"age":-9223372036854775808},)" +
                              written_slowly(third));
  }
}

uint32_t random_code_point(std::mt19937& random) {
  switch (random() % 6) {
    case 0:
      return static_cast<uint32_t>(random() % 0x20);
    case 1:
      return static_cast<uint32_t>(std::string_view("\"\\/\x7f")[random() % 4]);
    case 2:
      return static_cast<uint32_t>(random() % 0x800);
    case 3: {
      const auto any = static_cast<uint32_t>(random() % 0x110000);
      return any >= 0xd800 && any < 0xe000 ? 0xfffd : any;  // UTF-8 has no surrogates
    }
    default:
      return static_cast<uint32_t>(0x20 + random() % 0x5f);
  }
}

std::string random_text(std::mt19937& random) {
  std::string text;
  for (auto left = random() % 60; left != 0; --left) {
    const uint32_t code = random_code_point(random);
    const auto put = [&](uint32_t lead, int shift) {
      text += static_cast<char>(lead | code >> shift);
      for (shift -= 6; shift >= 0; shift -= 6)
        text += static_cast<char>(0x80 | ((code >> shift) & 0x3f));
    };
    if (code < 0x80)
      put(0, 0);
    else if (code < 0x800)
      put(0xc0, 6);
    else if (code < 0x10000)
      put(0xe0, 12);
    else
      put(0xf0, 18);
  }
  return text;
}

TEST(WriterObject, ReadsBackBySimdjsonAsItWas) {
  std::mt19937 random(19);
  simdjson::dom::parser parser;
  for (int round = 0; round < 5000; ++round) {
    const std::string name = random_text(random);
    const auto number = static_cast<int64_t>(uint64_t{random()} << 32 | random());
    const auto number_of_age = static_cast<int32_t>(random());
    const bool has_age = random() % 4 != 0;
    std::optional<int32_t> age;
    if (has_age) age = number_of_age;
    const bool active = random() % 2 == 0;
    const std::string text = text_of([&](Writer& json) {
      json.object(field<"name">(name), field<"number">(number), field<"age">(age),
                  field<"active">(active), field<"largest">(UINT64_MAX));
    });
    simdjson::dom::element read;
    ASSERT_EQ(parser.parse(text).get(read), simdjson::SUCCESS) << text;
    ASSERT_EQ(std::string_view(read["name"]), name);
    ASSERT_EQ(int64_t{read["number"]}, number);
    const bool null = read["age"].is_null();
    ASSERT_EQ(null, !has_age);
    ASSERT_EQ(null ? number_of_age : int64_t{read["age"]}, number_of_age);
    ASSERT_EQ(bool{read["active"]}, active);
    ASSERT_EQ(uint64_t{read["largest"]}, UINT64_MAX);
    ASSERT_EQ(read.get_object().size(), 5U);
  }
}

}  // namespace
}  // namespace ringpost::proto::json
