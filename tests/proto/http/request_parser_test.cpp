#include "proto/http/request_parser.h"

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proto/http/authority.h"
#include "tests/support/every_split.h"
#include "tests/support/guarded.h"
#include "tests/support/instructions.h"

using namespace std::string_view_literals;

namespace ringpost::proto::http {
namespace {

using wire::Parse;

// What a parser says, in one line of text: "GET /x HTTP/1.1 host=a keep-alive [Host: a]".
std::string describe(Parse parse, const RequestParser& parser) {
  if (parse == Parse::partial) return "partial";
  if (parse == Parse::invalid)
    return std::to_string(static_cast<int>(parser.refusal().status)) + " " +
           std::string(parser.refusal().reason);
  const Request& request = parser.request();
  std::string text(request.method);
  text.append(" ").append(request.target).append(" HTTP/1.");
  text.append(std::to_string(request.minor_version)).append(" host=").append(request.host);
  text.append(request.keep_alive ? " keep-alive" : " close");
  if (request.framing == Framing::length)
    text.append(" length=").append(std::to_string(request.content_length));
  if (request.framing == Framing::chunked) text.append(" chunked");
  if (request.expect_continue) text.append(" expect");
  for (const Header header : request.headers)
    text.append(" [").append(header.name).append(": ").append(header.value).append("]");
  return text;
}

// Gives the parser more and more of the pieces, each time at another address, as a caller does that
// reads them from a socket. nullopt when it did not tell its mind before its time was up.
std::string parse_pieces(const tests::Pieces& pieces, RequestParser& parser) {
  std::string read;
  std::vector<tests::Guarded> inputs;
  for (const std::string_view piece : pieces) {
    read.append(piece);
    inputs.emplace_back(read);
    const Parse parse = parser.parse(inputs.back().view());
    if (parse != Parse::partial) return describe(parse, parser);
    inputs.erase(inputs.begin(), inputs.end() - 1);
  }
  return "partial";
}

// By each set of instructions that this machine has.
void expect_at_every_split(std::string_view head, std::string_view expected,
                           const HeadLimits& limits = {}) {
  for (const Instructions instructions : tests::instructions_here())
    tests::every_split(head, [&](const tests::Pieces& pieces) {
      RequestParser parser(limits, instructions);
      EXPECT_EQ(parse_pieces(pieces, parser), expected)
          << "of " << testing::PrintToString(head.substr(0, 300)) << " as "
          << tests::lengths(pieces).substr(0, 100) << " by " << static_cast<int>(instructions);
    });
}

struct Case {
  std::string_view head, expected;
};

constexpr Case taken[] = {
    {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1 host=a keep-alive [Host: a]"},
    {"GET /users?limit=1&offset=%20 HTTP/1.1\r\nHost: example.com:8080\r\n\r\n",
     "GET /users?limit=1&offset=%20 HTTP/1.1 host=example.com:8080 keep-alive "
     "[Host: example.com:8080]"},
    {"\r\n\r\nGET / HTTP/1.1\r\nhOST:a\r\n\r\n", "GET / HTTP/1.1 host=a keep-alive [hOST: a]"},

    // Versions and what becomes of the connection (RFC 9112, 9.3)
    {"GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0 host= close"},
    {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
     "GET / HTTP/1.0 host= keep-alive [Connection: Keep-Alive]"},
    {"GET / HTTP/1.9\r\nHost: a\r\n\r\n", "GET / HTTP/1.1 host=a keep-alive [Host: a]"},
    {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, ,\tCLOSE\t,y\r\n\r\n",
     "GET / HTTP/1.1 host=a close [Host: a] [Connection: x, ,\tCLOSE\t,y]"},
    {"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
     "GET / HTTP/1.1 host=a close [Host: a] [Connection: keep-alive] [Connection: close]"},
    {"GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n",
     "GET / HTTP/1.1 host=a keep-alive [Host: a] [Connection: closed]"},

    // Names and values (RFC 9110, 5.1 and 5.5)
    {"GET / HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nX-Blank: \t \r\nX-In: \t a \tb\t \r\n\r\n",
     "GET / HTTP/1.1 host=a keep-alive [Host: a] [X-Empty: ] [X-Blank: ] [X-In: a \tb]"},
    {"GET / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~09azAZ: \x80\xff:;\"\r\n\r\n",
     "GET / HTTP/1.1 host=a keep-alive [Host: a] [!#$%&'*+-.^_`|~09azAZ: \x80\xff:;\"]"},
    {"GET / HTTP/1.1\r\nHosts: a\r\nHost: a\r\nX-Content-Length: x\r\n\r\n",
     "GET / HTTP/1.1 host=a keep-alive [Hosts: a] [Host: a] [X-Content-Length: x]"},
    {"PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n", "PROPFIND / HTTP/1.1 host=a keep-alive [Host: a]"},

    // Forms of the target (RFC 9112, 3.2)
    {"GET http://b.example:81/x?y HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET http://b.example:81/x?y HTTP/1.1 host=b.example:81 keep-alive [Host: a]"},
    {"GET HTTP://b HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET HTTP://b HTTP/1.1 host=b keep-alive [Host: a]"},
    {"GET http://b/ HTTP/1.1\r\nHost:\r\n\r\n", "400 Host is empty"},
    {"GET http://[::1]?y HTTP/1.0\r\n\r\n", "GET http://[::1]?y HTTP/1.0 host=[::1] close"},
    {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1 host=a keep-alive [Host: a]"},
    {"GET //x/../y HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET //x/../y HTTP/1.1 host=a keep-alive [Host: a]"},
    {"GET /|^\"<>`{}\\ HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET /|^\"<>`{}\\ HTTP/1.1 host=a keep-alive [Host: a]"},

    // Hosts (RFC 9110, 7.2)
    {"GET / HTTP/1.1\r\nHost: [fe80::1%25]:1\r\n\r\n", "400 Host is malformed"},
    {"GET / HTTP/1.1\r\nHost: [::ffff:1.2.3.4]:\r\n\r\n",
     "GET / HTTP/1.1 host=[::ffff:1.2.3.4]: keep-alive [Host: [::ffff:1.2.3.4]:]"},
    {"GET / HTTP/1.1\r\nHost: a%20b_~!$&'()*+,;=\r\n\r\n",
     "GET / HTTP/1.1 host=a%20b_~!$&'()*+,;= keep-alive [Host: a%20b_~!$&'()*+,;=]"},

    // Bodies (RFC 9112, 6)
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
     "POST / HTTP/1.1 host=a keep-alive [Host: a] [Content-Length: 0]"},
    {"POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 007\r\n\r\n",
     "POST / HTTP/1.1 host=a keep-alive length=7 [Host: a] [content-length: 007]"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\n",
     "POST / HTTP/1.1 host=a keep-alive length=18446744073709551615 [Host: a] "
     "[Content-Length: 18446744073709551615]"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
     "POST / HTTP/1.1 host=a keep-alive chunked [Host: a] [Transfer-Encoding: Chunked]"},

    // Expectations (RFC 9110, 10.1.1)
    {"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n",
     "PUT / HTTP/1.1 host=a keep-alive length=1 expect [Host: a] [Expect: 100-Continue] "
     "[Content-Length: 1]"},
    {"PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
     "PUT / HTTP/1.0 host= close length=1 [Expect: 100-continue] [Content-Length: 1]"},
    {"PUT / HTTP/1.0\r\nExpect: miracles\r\n\r\n", "PUT / HTTP/1.0 host= close [Expect: miracles]"},
};

TEST(RequestParser, TakesEveryFormAtEverySplit) {
  for (const auto& [head, expected] : taken) expect_at_every_split(head, expected);
}

constexpr Case refused_lines[] = {
    {"\nGET / HTTP/1.1\r\n", "400 the request line does not begin with a method and one blank"},
    {"\rGET / HTTP/1.1\r\n", "400 a line ends in CRLF, not in CR alone"},
    {"\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n",
     "400 there are too many empty lines before the request line"},
    {" GET / HTTP/1.1\r\n", "400 the request line does not begin with a method and one blank"},
    {"GET\t/ HTTP/1.1\r\n", "400 the request line does not begin with a method and one blank"},
    {"GE(T / HTTP/1.1\r\n", "400 the request line does not begin with a method and one blank"},
    {"GET\r\n", "400 the request line does not begin with a method and one blank"},
    {"\x16\x03\x01\x02\x00"sv, "400 the request line does not begin with a method and one blank"},
    {"AN-UNLIKELY-METHOD-OF-33-LETTERS-", "501 the method is longer than any this server knows"},
    {"GET  / HTTP/1.1\r\n",
     "400 the request-target is empty or has a character that must be escaped"},
    {"GET /\x01 HTTP/1.1\r\n",
     "400 the request-target is empty or has a character that must be escaped"},
    {"GET /\0 HTTP/1.1\r\n"sv,
     "400 the request-target is empty or has a character that must be escaped"},
    {"GET /\x7f HTTP/1.1\r\n",
     "400 the request-target is empty or has a character that must be escaped"},
    {"GET /\xc3\xa9 HTTP/1.1\r\n",
     "400 the request-target is empty or has a character that must be escaped"},
    {"GET /a#b HTTP/1.1\r\n",
     "400 the request-target is empty or has a character that must be escaped"},
    {"GET /\tHTTP/1.1\r\n",
     "400 the request-target is empty or has a character that must be escaped"},
    {"GET /\r\n", "400 the request line does not end in one blank, an HTTP version and CRLF"},
    {"GET / \r\n", "400 the request line does not end in one blank, an HTTP version and CRLF"},
    {"GET /  HTTP/1.1\r\n",
     "400 the request line does not end in one blank, an HTTP version and CRLF"},
    {"GET / HTTP/1.1 \r\n",
     "400 the request line does not end in one blank, an HTTP version and CRLF"},
    {"GET / HTTP/1.1\n",
     "400 the request line does not end in one blank, an HTTP version and CRLF"},
    {"GET / HTTP/1.1\rX",
     "400 the request line does not end in one blank, an HTTP version and CRLF"},
    {"GET / http/1.1\r\n",
     "400 the request line does not end in one blank, an HTTP version and CRLF"},
    {"GET / HTTP/1.10\r\n",
     "400 the request line does not end in one blank, an HTTP version and CRLF"},
    {"GET / HTTP/11\r\n",
     "400 the request line does not end in one blank, an HTTP version and CRLF"},
    {"GET / HTTP/2x\r\n",
     "400 the request line does not end in one blank, an HTTP version and CRLF"},
    {"GET / HTTP/1.x\r\n",
     "400 the request line does not end in one blank, an HTTP version and CRLF"},
    {"GET / XTTP/1.1\r\n",
     "400 the request line does not end in one blank, an HTTP version and CRLF"},
    {"GET / HTTP/2.0\r\n", "505 this server speaks HTTP/1.1 and HTTP/1.0"},
    {"GET / HTTP/0.9\r\n", "505 this server speaks HTTP/1.1 and HTTP/1.0"},
    {"GET / HTTP/2.0X", "505 this server speaks HTTP/1.1 and HTTP/1.0"},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 this server speaks HTTP/1.1 and HTTP/1.0"},
    {"GET * HTTP/1.1\r\n", "400 * is a target for OPTIONS alone"},
    {"options * HTTP/1.1\r\n", "400 * is a target for OPTIONS alone"},
    {"GET users HTTP/1.1\r\n", "400 the request-target is neither a path nor an http URI"},
    {"GET b:443 HTTP/1.1\r\n", "400 the request-target is neither a path nor an http URI"},
    {"GET ftp://b/ HTTP/1.1\r\n", "400 the request-target is neither a path nor an http URI"},
    {"GET https://b/ HTTP/1.1\r\n", "400 the request-target is neither a path nor an http URI"},
    {"GET http:/b HTTP/1.1\r\n", "400 the request-target is neither a path nor an http URI"},
    {"GET http:///x HTTP/1.1\r\n", "400 the request-target's authority is malformed"},
    {"GET http://:80/ HTTP/1.1\r\n", "400 the request-target's authority is malformed"},
    {"GET http://u@b/ HTTP/1.1\r\n", "400 the request-target's authority is malformed"},
    {"GET http://b:x/ HTTP/1.1\r\n", "400 the request-target's authority is malformed"},
    {"GET http://b\\/ HTTP/1.1\r\n", "400 the request-target's authority is malformed"},
    {"CONNECT / HTTP/1.1\r\n", "400 CONNECT takes a host and a port as its target"},
    {"CONNECT b HTTP/1.1\r\n", "400 CONNECT takes a host and a port as its target"},
    {"CONNECT b1 HTTP/1.1\r\n", "400 CONNECT takes a host and a port as its target"},
    {"CONNECT b: HTTP/1.1\r\n", "400 CONNECT takes a host and a port as its target"},
    {"CONNECT [::1] HTTP/1.1\r\n", "400 CONNECT takes a host and a port as its target"},
    {"CONNECT b:443 HTTP/1.1\r\n", "501 this server makes no tunnels"},
    {"CONNECT [::1]:443 HTTP/1.0\r\n", "501 this server makes no tunnels"},
    {"CONNECT b:443 HTTP/2.0\r\n", "505 this server speaks HTTP/1.1 and HTTP/1.0"},
};

TEST(RequestParser, RefusesRequestLinesAtEverySplit) {
  for (const auto& [head, expected] : refused_lines) expect_at_every_split(head, expected);
}

// The fields behind "GET / HTTP/1.1", each with an empty line behind it.
constexpr Case refused_fields[] = {
    {"", "400 Host is missing"},
    {"Host: a\r\nHost: a\r\n", "400 there is more than one Host"},
    {"Host: a\r\nX: y\r\nhost: b\r\n", "400 there is more than one Host"},
    {"Host:\r\n", "400 Host is empty"},
    {"Host: \t \r\n", "400 Host is empty"},
    {"Host:\r\nHost: a\r\n", "400 Host is empty"},
    {"Host: a b\r\n", "400 Host is malformed"},
    {"Host: a/b\r\n", "400 Host is malformed"},
    {"Host: u@a\r\n", "400 Host is malformed"},
    {"Host: a,b:1:2\r\n", "400 Host is malformed"},
    {"Host: :80\r\n", "400 Host is malformed"},
    {"Host: a:8o\r\n", "400 Host is malformed"},
    {"Host: a%2\r\n", "400 Host is malformed"},
    {"Host: a%zz\r\n", "400 Host is malformed"},
    {"Host: [::1\r\n", "400 Host is malformed"},
    {"Host: []\r\n", "400 Host is malformed"},
    {"Host: [::1]x\r\n", "400 Host is malformed"},
    {"Host: \x80\r\n", "400 Host is malformed"},

    {" Host: a\r\n", "400 a field line begins with a blank"},
    {"Host: a\r\n folded\r\n", "400 a field line begins with a blank"},
    {"Host: a\r\n\tfolded\r\n", "400 a field line begins with a blank"},
    {"Host : a\r\n", "400 there is a blank between a field's name and its colon"},
    {"Host\t: a\r\n", "400 there is a blank between a field's name and its colon"},
    {": a\r\n", "400 a field line does not begin with a name and a colon"},
    {"Host\r\n", "400 a field line does not begin with a name and a colon"},
    {"Ho\"st: a\r\n", "400 a field line does not begin with a name and a colon"},
    {"Ho\0st: a\r\n"sv, "400 a field line does not begin with a name and a colon"},
    {"H\xc3\xb6st: a\r\n", "400 a field line does not begin with a name and a colon"},
    {"A-Name-Longer-Than-Sixteen(: a\r\n",
     "400 a field line does not begin with a name and a colon"},
    {"\nHost: a\r\n", "400 a line ends in CRLF, not in LF alone"},
    {"Host\n: a\r\n", "400 a line ends in CRLF, not in LF alone"},
    {"Host: a\nX: y\r\n", "400 a line ends in CRLF, not in LF alone"},
    {"Host: a\r\n\n", "400 a line ends in CRLF, not in LF alone"},
    {"Host: a\rX: y\r\n", "400 a line ends in CRLF, not in CR alone"},
    {"Host: a\r\r\n", "400 a line ends in CRLF, not in CR alone"},
    {"Host: a\r\n\rX", "400 a line ends in CRLF, not in CR alone"},
    {"X: a\0b\r\n"sv, "400 a field value has a control character"},
    {"X: a\x7f\r\n", "400 a field value has a control character"},
    {"X: a\x0b\r\n", "400 a field value has a control character"},
    {"X:\x1b\r\n", "400 a field value has a control character"},

    {"Host: a\r\nContent-Length:\r\n", "400 Content-Length is no number"},
    {"Host: a\r\nContent-Length: -1\r\n", "400 Content-Length is no number"},
    {"Host: a\r\nContent-Length: +1\r\n", "400 Content-Length is no number"},
    {"Host: a\r\nContent-Length: 1 1\r\n", "400 Content-Length is no number"},
    {"Host: a\r\nContent-Length: 0x1\r\n", "400 Content-Length is no number"},
    {"Host: a\r\nContent-Length: 5, 5\r\n", "400 Content-Length is no number"},
    {"Host: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n",
     "400 there is more than one Content-Length"},
    {"Host: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n",
     "400 there is more than one Content-Length"},
    {"Host: a\r\nContent-Length: 18446744073709551616\r\n", "400 Content-Length is too large"},
    {"Host: a\r\nContent-Length: 99999999999999999999\r\n", "400 Content-Length is too large"},

    {"Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
     "400 Content-Length and Transfer-Encoding exclude each other"},
    {"Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n",
     "400 Content-Length and Transfer-Encoding exclude each other"},
    {"Host: a\r\nTransfer-Encoding: gzip\r\nContent-Length: 5\r\n",
     "400 Content-Length and Transfer-Encoding exclude each other"},
    {"Host: a\r\nTransfer-Encoding: chunked, gzip\r\n",
     "400 chunked is not the last transfer coding"},
    {"Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
     "400 chunked is not the last transfer coding"},
    {"Host: a\r\nTransfer-Encoding: chunked, chunked\r\n", "400 chunked is applied twice"},
    {"Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
     "400 chunked is applied twice"},
    {"Host: a\r\nTransfer-Encoding:\r\n", "400 Transfer-Encoding is malformed"},
    {"Host: a\r\nTransfer-Encoding: ,chunked\r\n", "400 Transfer-Encoding is malformed"},
    {"Host: a\r\nTransfer-Encoding: chunked,\r\n", "400 Transfer-Encoding is malformed"},
    {"Host: a\r\nTransfer-Encoding: chunked \t, \r\n", "400 Transfer-Encoding is malformed"},
    {"Host: a\r\nTransfer-Encoding: chunked;x\r\n", "400 Transfer-Encoding is malformed"},
    {"Host: a\r\nTransfer-Encoding: \"chunked\"\r\n", "400 Transfer-Encoding is malformed"},
    {"Host: a\r\nTransfer-Encoding: gzip chunked\r\n", "400 Transfer-Encoding is malformed"},
    {"Host: a\r\nTransfer-Encoding: gzip\r\n", "400 chunked is not the last transfer coding"},
    {"Host: a\r\nTransfer-Encoding: identity\r\n", "400 chunked is not the last transfer coding"},
    {"Host: a\r\nTransfer-Encoding: xchunked\r\n", "400 chunked is not the last transfer coding"},
    {"Host: a\r\nTransfer-Encoding: gzip, identity\r\n",
     "400 chunked is not the last transfer coding"},
    {"Host: a\r\nTransfer-Encoding: gzip, chunked\r\n",
     "501 chunked is the only transfer coding this server knows"},
    {"Host: a\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
     "501 chunked is the only transfer coding this server knows"},

    {"Host: a\r\nExpect: miracles\r\n",
     "417 100-continue is the only expectation this server knows"},
    {"Host: a\r\nExpect: 100-continue, miracles\r\n",
     "417 100-continue is the only expectation this server knows"},
    {"Host: a\r\nExpect: 100-continue\r\nExpect: x\r\n",
     "417 100-continue is the only expectation this server knows"},
};

TEST(RequestParser, RefusesFieldsAtEverySplit) {
  for (const auto& [fields, expected] : refused_fields)
    expect_at_every_split("GET / HTTP/1.1\r\n" + std::string(fields) + "\r\n", expected);
}

TEST(RequestParser, RefusesTransferEncodingInHttp10) {
  expect_at_every_split("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
                        "400 HTTP/1.0 has no Transfer-Encoding");
  expect_at_every_split("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n",
                        "400 there is more than one Host");
}

TEST(RequestParser, WaitsForWhatIsMissing) {
  constexpr std::string_view head = "\r\nPOST /x HTTP/1.1\r\nHost: \t a\r\nX:\r\n\r\n";
  for (size_t length = 0; length < head.size(); ++length)
    expect_at_every_split(head.substr(0, length), "partial");
}

TEST(RequestParser, LeavesWhatIsBehindTheHead) {
  constexpr std::string_view head = "\r\nGET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
  const tests::Guarded input(std::string(head) + "GET /2 HTTP");
  RequestParser parser;
  ASSERT_EQ(parser.parse(input.view()), Parse::complete);
  EXPECT_EQ(parser.head_bytes(), head.size());
  EXPECT_EQ(parser.request().target, "/1");
  EXPECT_EQ(parser.request().target.data(), input.view().data() + 6) << "a view of the input";

  parser.reset();
  EXPECT_EQ(parser.parse(input.view().substr(head.size())), Parse::partial);
}

TEST(RequestParser, ForgetsAllWhenReset) {
  RequestParser parser;
  ASSERT_EQ(parser.parse("POST http://b/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                         "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"),
            Parse::complete);
  parser.reset();
  EXPECT_EQ(describe(parser.parse("GET / HTTP/1.1\r\nHost: c\r\n\r\n"), parser),
            "GET / HTTP/1.1 host=c keep-alive [Host: c]");
  parser.reset();
  ASSERT_EQ(parser.parse("GET / HTTP/1.1\r\nContent-Length: 9\r\nHost :"), Parse::invalid);
  parser.reset();
  EXPECT_EQ(describe(parser.parse("GET / HTTP/1.0\r\n\r\n"), parser), "GET / HTTP/1.0 host= close");
}

// A field is one that decides something by its whole name, in whichever case.
TEST(RequestParser, KnowsControlFieldsByTheirWholeNames) {
  const Case fields[] = {
      {"Host", "/"},
      {"Expect", "x"},
      {"Connection", "close"},
      {"Content-Length", "x"},
      {"Transfer-Encoding", "x"},
  };
  const auto is_taken = [](std::string_view name, std::string_view value) {
    std::string head("GET / HTTP/1.1\r\nHost: a\r\n");
    head.append(name).append(": ").append(value).append("\r\n\r\n");
    RequestParser parser;
    return parser.parse(head) == Parse::complete && parser.request().keep_alive;
  };
  for (const auto& [name, value] : fields)
    for (size_t place = 0; place < name.size(); ++place)
      for (int c = 0; c < 256; ++c) {
        std::string other(name);
        other[place] = static_cast<char>(c);
        if (!is_tchar(other[place])) continue;
        EXPECT_EQ(is_taken(other, value), lower(other[place]) != lower(name[place])) << other;
      }
}

// Every character at every place of a Host, of each length: most Hosts are judged sixteen
// characters at a time.
TEST(RequestParser, JudgesHostsAsAuthorities) {
  for (const size_t size :
       {1uz, 2uz, 7uz, 8uz, 9uz, 15uz, 16uz, 17uz, 29uz, 31uz, 32uz, 33uz, 40uz})
    for (size_t place = 0; place < size; ++place)
      for (int c = 0; c < 256; ++c)
        for (const std::string_view port : {"", ":", ":80", ":8a"}) {
          std::string host(size, 'a');
          host[place] = static_cast<char>(c);
          host.append(port);
          const char first = host.front(), last = host.back();
          if (!is_field_content(static_cast<char>(c)) || first == ' ' || first == '\t' ||
              last == ' ' || last == '\t')
            continue;
          const tests::Guarded head("GET / HTTP/1.0\r\nHost:" + host + "\r\n\r\n");
          RequestParser parser;
          ASSERT_EQ(parser.parse(head.view()) == Parse::complete, is_authority(host))
              << testing::PrintToString(host);
        }
}

// A session may hand a half-read head to a parser of its own, and the shared one to others.
TEST(RequestParser, GoesOnInACopy) {
  RequestParser shared;
  ASSERT_EQ(shared.parse("GET /x HTTP/1.1\r\nHost: a\r\nX-Na"), Parse::partial);
  RequestParser own(shared);
  shared.reset();
  ASSERT_EQ(shared.parse("PUT /other HTTP/1.1\r\nHost: other\r\nOther: fields\r\n\r\n"),
            Parse::complete);
  EXPECT_EQ(
      describe(own.parse("GET /x HTTP/1.1\r\nHost: a\r\nX-Name: b\r\nCookie: c\r\n\r\n"), own),
      "GET /x HTTP/1.1 host=a keep-alive [Host: a] [X-Name: b] [Cookie: c]");
}

TEST(RequestParser, HasStartedWithTheFirstByteOfARequestLine) {
  RequestParser parser;
  EXPECT_EQ(parser.parse(""), Parse::partial);
  EXPECT_FALSE(parser.started());
  EXPECT_EQ(parser.parse("\r\n\r"), Parse::partial);
  EXPECT_FALSE(parser.started());
  EXPECT_EQ(parser.parse("\r\n\r\nG"), Parse::partial);
  EXPECT_TRUE(parser.started());
  parser.reset();
  EXPECT_FALSE(parser.started());
}

TEST(RequestParser, KnowsTheMethods) {
  constexpr std::pair<std::string_view, Method> methods[] = {
      {"GET", Method::get},        {"HEAD", Method::head},      {"POST", Method::post},
      {"PUT", Method::put},        {"DELETE", Method::delete_}, {"OPTIONS", Method::options},
      {"TRACE", Method::trace},    {"PATCH", Method::patch},    {"get", Method::other},
      {"GETS", Method::other},     {"HEADS", Method::other},    {"QUERYZ", Method::other},
      {"PROPFIND", Method::other}, {"M-SEARC", Method::other},  {"BIN", Method::other},
      {"PU", Method::other},       {"PURGE", Method::other},    {"MOVE", Method::other},
  };
  for (const auto& [name, method] : methods) {
    RequestParser parser;
    const std::string head = std::string(name) + " / HTTP/1.0\r\n\r\n";
    ASSERT_EQ(parser.parse(head), Parse::complete) << name;
    EXPECT_EQ(parser.request().known_method, method) << name;
  }
}

TEST(RequestParser, FindsFieldsIgnoringCase) {
  RequestParser parser;
  constexpr std::string_view head =
      "GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-one: 2\r\nEmpty:\r\n\r\n";
  ASSERT_EQ(parser.parse(head), Parse::complete);
  const Request& request = parser.request();
  EXPECT_EQ(request.find("x-one"), "1") << "the first of them";
  EXPECT_EQ(request.find("empty"), "");
  EXPECT_EQ(request.find("x-on"), std::nullopt);
  EXPECT_EQ(request.headers.size(), 4U);
  EXPECT_EQ(request.headers[2].name, "x-one");
  EXPECT_EQ(request.headers[2].value, "2");
}

// RFC 9112, 3: at least so long is what all should take.
TEST(RequestParser, TakesRequestLinesOf8000Octets) {
  const std::string target = "/" + std::string(8000 - 4 - 1 - 9, 'x');
  const std::string head = "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n";
  ASSERT_EQ(head.find("\r\n"), 8000U);
  RequestParser parser;
  ASSERT_EQ(parser.parse(head), Parse::complete);
  EXPECT_EQ(parser.request().target, target);
}

// Each limit with the head that just keeps it, and the one that is a byte or a field beyond.
TEST(RequestParser, RefusesWhatIsBeyondItsLimits) {
  constexpr HeadLimits limits{.head_bytes = 64, .target_bytes = 16, .headers = 2};
  constexpr std::string_view target_too_long =
      "414 the request-target is longer than this server takes";
  constexpr std::string_view head_too_large = "431 the head is larger than this server takes";
  constexpr std::string_view too_many_fields = "431 there are more fields than this server takes";

  expect_at_every_split("GET /234567890123456 HTTP/1.0\r\n\r\n",
                        "GET /234567890123456 HTTP/1.0 host= close", limits);
  expect_at_every_split("GET /2345678901234567 HTTP/1.0\r\n\r\n", target_too_long, limits);
  expect_at_every_split("GET /2345678901234567", target_too_long, limits);
  expect_at_every_split("GET /2345678901234567\x01", target_too_long, limits);
  expect_at_every_split("GET /234567890123456\x01",
                        "400 the request-target is empty or has a character that must be escaped",
                        limits);

  expect_at_every_split("GET / HTTP/1.0\r\nA: b\r\nC: d\r\n\r\n",
                        "GET / HTTP/1.0 host= close [A: b] [C: d]", limits);
  expect_at_every_split("GET / HTTP/1.0\r\nA: b\r\nC: d\r\nE", too_many_fields, limits);

  const std::string fits = "GET / HTTP/1.0\r\nA: " + std::string(41, 'b') + "\r\n\r\n";
  ASSERT_EQ(fits.size(), 64U);
  expect_at_every_split(fits, "GET / HTTP/1.0 host= close [A: " + std::string(41, 'b') + "]",
                        limits);
  const std::string too_large = "GET / HTTP/1.0\r\nA: " + std::string(42, 'b') + "\r\n\r\n";
  expect_at_every_split(too_large, head_too_large, limits);
  expect_at_every_split(too_large.substr(0, 64), head_too_large, limits);
  expect_at_every_split(too_large.substr(0, 63), "partial", limits);
  expect_at_every_split("\r\n" + fits, head_too_large, limits);
  expect_at_every_split("GET / HTTP/1.0\r\nA: " + std::string(60, 'b') + "\x01", head_too_large,
                        limits);
}

TEST(RequestParser, StaysSmall) {
  EXPECT_LE(sizeof(RequestParser) + HeadLimits{}.headers * sizeof(HeaderSpans), 3584U);
}

// A field that comes in 262,144 pieces is read once: read anew each time, it would be 512 GiB.
TEST(RequestParser, GoesOnWhereItStopped) {
  std::string head = "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(4 << 20, 'x');
  head.append("\r\n\r\n");
  RequestParser parser({.head_bytes = 8 << 20});
  for (size_t length = 0; length < head.size(); length += 16)
    ASSERT_EQ(parser.parse({head.data(), length}), Parse::partial);
  ASSERT_EQ(parser.parse(head), Parse::complete);
  EXPECT_EQ(parser.request().headers[1].value.size(), size_t{4} << 20);
}

}  // namespace
}  // namespace ringpost::proto::http
