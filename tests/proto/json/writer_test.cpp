#include "proto/json/writer.h"

#include <cstdint>
#include <limits>
#include <random>
#include <string>

#include <gtest/gtest.h>
#include <simdjson.h>

#include "tests/proto/json/written_slowly.h"
#include "tests/support/guarded.h"

namespace ringpost::proto::json {
namespace {

std::string written(std::string_view text) {
  wire::Buffer out;
  Writer(out).string(text);
  return std::string(out.view());
}

TEST(WriterString, EscapesWhatMustBeAndNoMore) {
  EXPECT_EQ(written(""), R"("")");
  EXPECT_EQ(written("User 1"), R"("User 1")");
  EXPECT_EQ(written("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(written("\b\f\n\r\t"), R"("\b\f\n\r\t")");
  EXPECT_EQ(written(std::string_view("\0\x01\x1f", 3)), R"("\u0000\u0001\u001f")");
  EXPECT_EQ(written("/\x7f é 漢 😀 \u202e"), "\"/\x7f é 漢 😀 \u202e\"");
}

TEST(WriterString, EveryLengthWithASpecialCharacterAtEveryPlace) {
  for (const char special : {'"', '\\', '\n', '\x01', '\x1f', ' ', '\x7f', '\x80', '\xff'}) {
    for (size_t length = 0; length <= 70; ++length) {
      for (size_t place = 0; place <= length; ++place) {
        std::string text(length, 'x');
        if (place < length) text[place] = special;
        const tests::Guarded guarded(text);
        ASSERT_EQ(written(guarded.view()), written_slowly(text))
            << length << " " << place << " " << int{special};
      }
    }
  }
}

TEST(WriterString, AnyBytes) {
  std::mt19937 random(3);
  for (int round = 0; round < 20000; ++round) {
    std::string text(random() % 100, '\0');
    // Few of the characters, so that specials come in runs.
    for (char& c : text)
      c = random() % 3 == 0 ? static_cast<char>(random()) : "\"\\a\n"[random() % 4];
    const tests::Guarded guarded(text);
    ASSERT_EQ(written(guarded.view()), written_slowly(text));
  }
}

TEST(WriterString, ALongRunOfEscapesGrowsTheBuffer) {
  const std::string text(10'000, '\x01');
  EXPECT_EQ(written(text), written_slowly(text));
}

TEST(WriterString, ReadsBackAsItWas) {
  simdjson::dom::parser parser;
  std::string all;
  for (char c = 0; c < 0x7f; ++c) all += c;
  all += "ßéß漢字 😀 שלום";
  const std::string json = written(all);
  EXPECT_EQ(std::string_view(parser.parse(json)), all);
}

TEST(Writer, NumbersAtTheirLimits) {
  wire::Buffer out;
  Writer(out)
      .number(0)
      .raw(" ")
      .number(std::numeric_limits<int32_t>::min())
      .raw(" ")
      .number(std::numeric_limits<int64_t>::min())
      .raw(" ")
      .number(std::numeric_limits<int64_t>::max())
      .raw(" ")
      .number(std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(out.view(),
            "0 -2147483648 -9223372036854775808 9223372036854775807 18446744073709551615");
}

TEST(Writer, WordsAndQuotedText) {
  wire::Buffer out;
  {
    Writer json(out);
    json.boolean(true).raw(",").boolean(false).raw(",").null().raw(",").quoted(3, [](char* at) {
      *at = 'x';
      return at + 1;
    });
  }
  EXPECT_EQ(out.view(), R"(true,false,null,"x")");
}

TEST(Writer, GoesOnBehindWhatIsThere) {
  wire::Buffer out;
  out.append("head");
  {
    Writer json(out, 1);
    for (int i = 0; i < 1000; ++i) json.number(i).raw(",");
  }
  std::string expected = "head";
  for (int i = 0; i < 1000; ++i) expected += std::to_string(i) + ",";
  EXPECT_EQ(out.view(), expected);
}

TEST(Writer, CommitShowsWhatWasWritten) {
  wire::Buffer out;
  Writer json(out);
  json.raw("[");
  json.commit();
  EXPECT_EQ(out.view(), "[");
  json.raw("]");
  json.commit();
  EXPECT_EQ(out.view(), "[]");
}

}  // namespace
}  // namespace ringpost::proto::json
