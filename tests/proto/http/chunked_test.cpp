#include "proto/http/chunked.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/support/every_split.h"
#include "tests/support/guarded.h"

using namespace std::string_view_literals;

namespace ringpost::proto::http {
namespace {

constexpr uint64_t most_body_bytes = 32;

// The content, and what stands behind the body: "abc, then xyz"; or why it was refused; or what
// there is of it so far: "abc...".
std::string decode(const tests::Pieces& pieces) {
  ChunkedDecoder decoder(most_body_bytes);
  std::string content, rest;
  for (const std::string_view piece : pieces) {
    const tests::Guarded input(piece);
    std::string_view left = input.view();
    while (!left.empty() && !decoder.done() && !decoder.failed()) {
      const ChunkedDecoder::Piece taken = decoder.feed(left);
      EXPECT_GT(taken.consumed, 0U);
      EXPECT_LE(taken.consumed, left.size());
      content.append(taken.content);
      left.remove_prefix(taken.consumed);
    }
    rest.append(left);
  }
  if (decoder.failed())
    return std::to_string(static_cast<int>(decoder.refusal().status)) + " " +
           std::string(decoder.refusal().reason);
  return decoder.done() ? content + ", then " + rest : content + "...";
}

void expect_at_every_split(std::string_view body, std::string_view expected) {
  tests::every_split(body, [&](const tests::Pieces& pieces) {
    EXPECT_EQ(decode(pieces), expected) << "of " << testing::PrintToString(body.substr(0, 200))
                                        << " as " << tests::lengths(pieces).substr(0, 100);
  });
}

struct Case {
  std::string_view body, expected;
};

constexpr Case bodies[] = {
    {"0\r\n\r\n", ", then "},
    {"0\r\n\r\nGET /", ", then GET /"},
    {"3\r\nabc\r\n0\r\n\r\n", "abc, then "},
    {"3\r\nabc\r\n5\r\nde\r\nf\r\n0\r\n\r\n\r\n", "abcde\r\nf, then \r\n"},
    {"00000000000000aB\r\n0123456789abcdef0123456789abcdef",
     "413 the body is larger than this "
     "server takes"},
    {"1F\r\n0123456789abcdef0123456789abcde\r\n1\r\nf\r\n0\r\n\r\n",
     "0123456789abcdef0123456789abcdef, then "},
    {"000\r\n\r\n", ", then "},
    {"0001\r\na\r\n0001\r\nb\r\n0001\r\nc\r\n0001\r\nd\r\n0001\r\ne\r\n0\r\n\r\n", "abcde, then "},

    // Extensions (RFC 9112, 7.1.1) and trailers (7.1.2)
    {"1;a\r\nx\r\n1 \t;a=\"b;\xff\";c\r\ny\r\n0;z\r\n\r\n", "xy, then "},
    {"1 ; a\t=\tb \t; c = \"d\" ;e ;f=1;g\r\nx\r\n0\r\n\r\n", "x, then "},
    {"1;a=\"\";b=\"\\\"\\\\\\ \\;\t=\"\r\nx\r\n0;!#$%&'*+-.^_`|~9=!\r\n\r\n", "x, then "},
    {"1\r\nx\r\n0\r\nA:\r\nB-1: \tc\xff \r\n\r\nZ", "x, then Z"},

    {"", "..."},
    {"2\r\nab", "ab..."},
    {"2\r\nab\r\n0\r\nA: b\r\n\r", "ab..."},
};

TEST(ChunkedDecoder, TakesBodiesApartAtEverySplit) {
  for (const auto& [body, expected] : bodies) expect_at_every_split(body, expected);
}

constexpr std::string_view nameless = "400 a chunk extension has no name",
                           bad_value =
                               "400 a chunk extension's value is neither a token nor a quoted "
                               "string";

constexpr Case refused[] = {
    {"\r\n", "400 a chunk's size is no hexadecimal number"},
    {"\n", "400 a chunk's size is no hexadecimal number"},
    {"g\r\n", "400 a chunk's size is no hexadecimal number"},
    {" 1\r\n", "400 a chunk's size is no hexadecimal number"},
    {"-1\r\n", "400 a chunk's size is no hexadecimal number"},
    {"+1\r\n", "400 a chunk's size is no hexadecimal number"},
    {"0x1\r\n", "400 a chunk's size is no hexadecimal number"},
    {"1_0\r\n", "400 a chunk's size is no hexadecimal number"},
    {"1\na\r\n", "400 a chunk's size is no hexadecimal number"},
    {"1\r\nx\r\n\r\n", "400 a chunk's size is no hexadecimal number"},
    {";a\r\n", "400 a chunk's size is no hexadecimal number"},
    {"00000000000000000\r\n", "400 a chunk's size has too many digits"},
    {"10000000000000000\r\n", "400 a chunk's size has too many digits"},
    {"ffffffffffffffff\r\n", "413 the body is larger than this server takes"},
    {"21\r\n", "413 the body is larger than this server takes"},
    {"20\r\n0123456789abcdef0123456789abcdef\r\n1\r\n",
     "413 the body is larger than this server takes"},
    {"1 \r\nx\r\n", "400 there is a blank behind a chunk's size"},
    {"1 2\r\n", "400 there is a blank behind a chunk's size"},
    {"1\rx", "400 a chunk's size does not end in CRLF"},
    {"1;a\rx", "400 a chunk's size does not end in CRLF"},
    {"1;\r\n", nameless},
    {"1; \r\n", nameless},
    {"1;;a\r\n", nameless},
    {"1;a;\r\n", nameless},
    {"1;=a\r\n", nameless},
    {"1;\"a\"\r\n", nameless},
    {"1;\nx", nameless},
    {"1;\0\r\n"sv, nameless},
    {"1;\x7f\r\n", nameless},
    {"1;a\nx", "400 a chunk extension's name is malformed"},
    {"1;a,b\r\n", "400 a chunk extension's name is malformed"},
    {"1;a\xff\r\n", "400 a chunk extension's name is malformed"},
    {"1;a\"b\"\r\n", "400 a chunk extension's name is malformed"},
    {"1;a=\r\n", bad_value},
    {"1;a= \r\n", bad_value},
    {"1;a=;b\r\n", bad_value},
    {"1;a==b\r\n", bad_value},
    {"1;a=b=c\r\n", bad_value},
    {"1;a=b\nx", bad_value},
    {"1;a=b\"c\"\r\n", bad_value},
    {"1;a=\xff\r\n", bad_value},
    {"1;a=\"b\r\n", bad_value},
    {"1;a=\"b\n\"\r\n", bad_value},
    {"1;a=\"b\\\"\r\n", bad_value},
    {"1;a=\"\\\r\n", bad_value},
    {"1;a=\"\\\0\"\r\n"sv, bad_value},
    {"1;a=\"\x7f\"\r\n", bad_value},
    {"1;a \r\n", "400 there is a blank or more behind a chunk extension"},
    {"1;a b\r\n", "400 there is a blank or more behind a chunk extension"},
    {"1;a=b\t\r\n", "400 there is a blank or more behind a chunk extension"},
    {"1;a=b c\r\n", "400 there is a blank or more behind a chunk extension"},
    {"1;a=\"b\" \r\n", "400 there is a blank or more behind a chunk extension"},
    {"1;a=\"b\"c\r\n", "400 there is a blank or more behind a chunk extension"},
    {"1;a=\"b\"=c\r\n", "400 there is a blank or more behind a chunk extension"},
    {"1;a=\"b\"\nx", "400 there is a blank or more behind a chunk extension"},
    {"1\r\nxy", "400 a chunk is longer than its size or does not end in CRLF"},
    {"1\r\nx\n0\r\n\r\n", "400 a chunk is longer than its size or does not end in CRLF"},
    {"1\r\nx\r0\r\n\r\n", "400 a chunk is longer than its size or does not end in CRLF"},
    {"2\r\nx\r\n0\r\n\r\n", "400 a chunk is longer than its size or does not end in CRLF"},
    {"0\r\n\n", "400 a trailer does not begin with a name and a colon"},
    {"0\r\nA\r\n", "400 a trailer does not begin with a name and a colon"},
    {"0\r\n: b\r\n", "400 a trailer does not begin with a name and a colon"},
    {"0\r\nA : b\r\n", "400 a trailer does not begin with a name and a colon"},
    {"0\r\nA: b\r\n c\r\n", "400 a trailer does not begin with a name and a colon"},
    {"0\r\nA: b\n", "400 a trailer has a control character"},
    {"0\r\nA: \0\r\n"sv, "400 a trailer has a control character"},
    {"0\r\nA: b\rB", "400 a trailer does not end in CRLF"},
    {"0\r\n\rG", "400 the body does not end in CRLF"},
};

TEST(ChunkedDecoder, RefusesAtEverySplit) {
  for (const auto& [body, expected] : refused) expect_at_every_split(body, expected);
}

TEST(ChunkedDecoder, LimitsExtensionsOfAllTheBody) {
  // 8 chunks of 2,048 bytes of extension each are 16 KiB.
  std::string body;
  for (int chunk = 0; chunk < 8; ++chunk) body += "1;" + std::string(2047, 'e') + "\r\nx\r\n";
  EXPECT_EQ(decode({body + "0\r\n\r\n"}), "xxxxxxxx, then ");
  EXPECT_EQ(decode({body + "0;\r\n\r\n"}),
            "431 there are more chunk extensions than this server takes");
  EXPECT_EQ(decode({"1" + std::string(16384, ' ') + ";"}),
            "431 there are more chunk extensions than this server takes");
}

TEST(ChunkedDecoder, LimitsTrailers) {
  const std::string line = "A:" + std::string(2046, 't') + "\r\n";
  const std::string body = "0\r\n" + line + line + line + line;
  EXPECT_EQ(decode({body + "\r\n"}), ", then ");
  EXPECT_EQ(decode({body + "B"}), "431 there are more trailers than this server takes");
  EXPECT_EQ(decode({"0\r\n" + std::string(8193, 'n')}),
            "431 there are more trailers than this server takes");
}

TEST(ChunkedDecoder, SkipsTheContentAndLeavesWhatIsBehindTheBody) {
  constexpr std::string_view body = "3\r\nabc\r\n5;x\r\ndefgh\r\n0\r\nT: u\r\n\r\n";
  ChunkedDecoder decoder(most_body_bytes);
  EXPECT_EQ(decoder.skip(std::string(body) + "GET /"), body.size());
  EXPECT_TRUE(decoder.done());
  EXPECT_EQ(decoder.skip("GET /"), 0U);
}

TEST(ChunkedDecoder, StopsAtTheByteThatIsWrong) {
  ChunkedDecoder decoder(most_body_bytes);
  EXPECT_EQ(decoder.skip("1\r\nx\r\nq\r\n"), 7U);
  EXPECT_TRUE(decoder.failed());
  EXPECT_FALSE(decoder.done());
}

}  // namespace
}  // namespace ringpost::proto::http
