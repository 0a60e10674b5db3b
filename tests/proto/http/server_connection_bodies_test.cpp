// Bodies that are kept or streamed, and answers whose length is not known before their end.
#include <gtest/gtest.h>

#include "tests/proto/http/driven_connection.h"
#include "tests/support/every_split.h"

namespace ringpost::proto::http {
namespace {

using tests::DrivenConnection;
using Intake = ServerConnection::Intake;

const std::string put = "PUT /p HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n";
const std::string chunked = "PUT /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
const std::string get = "GET /g HTTP/1.1\r\nHost: h\r\n\r\n";

TEST(KeptBody, IsThereWithItsRequest) {
  DrivenConnection c;
  c.intake = Intake::keep;
  EXPECT_EQ(c.come(put), "more");
  EXPECT_EQ(c.stage(), "body");
  EXPECT_EQ(c.come("ab"), "more");
  EXPECT_GT(c.connection.body_memory(), 0u);
  EXPECT_EQ(c.come("cd" + get), "PUT /p with abcd");
  c.take();
  EXPECT_EQ(c.come(), "GET /g");
  EXPECT_EQ(c.connection.body_memory(), 0u);
  c.take();
  EXPECT_EQ(c.come(chunked + "3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: u\r\n\r\n"), "PUT /c with abcde");
}

TEST(KeptBody, IsRefusedAtItsOwnLimit) {
  for (const auto& [request, said] : {std::pair{put + "abcd", "413"},
                                      {chunked + "4\r\nabcd\r\n0\r\n\r\n", "413"},
                                      {chunked + "3\r\nabc\r\n0\r\n\r\n", "PUT /c with abc"}}) {
    DrivenConnection c;
    c.intake = Intake::keep;
    c.most_bytes = 3;
    EXPECT_EQ(c.come(request), said);
  }
  DrivenConnection c;
  c.intake = Intake::keep;
  c.most_bytes = 100;  // beyond that of the connection
  EXPECT_EQ(c.come("PUT /p HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n"), "413");
}

// All that comes of a body that is streamed, and what follows it.
std::string stream(const tests::Pieces& pieces) {
  DrivenConnection c;
  c.intake = Intake::stream;
  std::string all, content;
  for (const std::string_view piece : pieces)
    for (std::string event = c.come(piece); event != "more" && event != "closed";
         event = c.come()) {
      if (event.starts_with("piece ")) {
        content += event.substr(6);
        continue;
      }
      all += content + (content.empty() ? "" : ", ") + event + ", ";
      content.clear();
      if (event != "end" && !event.starts_with("broken")) c.take();
    }
  return all + c.stage();
}

TEST(StreamedBody, ComesByPiecesWhateverTheSplit) {
  const std::string both = put + "abcd" + chunked + "3\r\nabc\r\n5\r\ndefgh\r\n0\r\n\r\n" + get;
  tests::every_split(both, [](const tests::Pieces& pieces) {
    EXPECT_EQ(stream(pieces),
              "PUT /p begins, abcd, end, PUT /c begins, abcdefgh, end, GET /g, answers+3")
        << tests::lengths(pieces);
  });
}

TEST(StreamedBody, ThatBreaksEndsTheConnection) {
  EXPECT_EQ(stream({std::string_view(chunked), "2\r\nab\r\nx", get}),
            "PUT /c begins, ab, broken 400, closed+1");
  EXPECT_EQ(stream({std::string_view(chunked), "9\r\n", get}),
            "PUT /c begins, broken 413, closed+1");
}

TEST(StreamedBody, OfTheLastRequestIsReceivedToItsEnd) {
  EXPECT_EQ(stream({"PUT /p HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nConnection: close\r\n\r\n",
                    "a", "bGET /g HTTP/1.1\r\n"}),
            "PUT /p begins, ab, end, closed+1");
}

TEST(StreamedBody, IsReceivedAfterItsAnswer) {
  DrivenConnection c;
  c.intake = Intake::stream;
  EXPECT_EQ(c.come(put), "more");
  EXPECT_EQ(c.stage(), "body");
  EXPECT_EQ(c.come("a"), "PUT /p begins");
  const uint32_t number = c.take();
  EXPECT_TRUE(c.connection.streaming());
  EXPECT_EQ(c.answer(number, "early"), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly");
  EXPECT_EQ(c.come(), "piece a");
  EXPECT_EQ(c.come(), "more");
  EXPECT_EQ(c.stage(), "body");
  EXPECT_EQ(c.come("bcd" + get), "piece bcd");
  EXPECT_EQ(c.come(), "end");
  EXPECT_FALSE(c.connection.streaming());
  EXPECT_EQ(c.come(), "GET /g");
}

TEST(StreamedBody, EndsWithItsConnection) {
  DrivenConnection c;
  c.intake = Intake::stream;
  EXPECT_EQ(c.come(put + "a"), "PUT /p begins");
  c.take();
  c.connection.close();
  EXPECT_EQ(c.come("bcd"), "closed");
  EXPECT_FALSE(c.connection.streaming());
}

// An answer of these pieces to each request, which are taken first; what is written.
std::string written(const std::string& requests, const std::vector<std::string_view>& pieces) {
  DrivenConnection c;
  proto::wire::Buffer out;
  size_t count = 0;
  for (std::string event = c.come(requests); event != "more" && event != "closed";
       event = c.come()) {
    c.take();
    ++count;
  }
  for (size_t i = 0; i < count; ++i) {
    if (!c.connection.begin_stream({.content_type = "text/plain"}, {}, out)) {
      out.append("refused;");
      c.connection.answer(static_cast<uint32_t>(i), {.body = "whole"}, {}, out);
      continue;
    }
    for (const std::string_view piece : pieces) c.connection.append_piece(piece, out);
    c.connection.end_stream({}, out);
  }
  return std::string(out.view()) + "|" + c.stage();
}

constexpr const char* head =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n";

TEST(StreamedAnswer, IsChunked) {
  EXPECT_EQ(written(get, {"a", "", "0123456789abcdef0"}),
            std::string(head) + "\r\n1\r\na\r\n11\r\n0123456789abcdef0\r\n0\r\n\r\n|idle");
  EXPECT_EQ(written("GET /g HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", {}),
            std::string(head) + "Connection: close\r\n\r\n0\r\n\r\n|closed");
  EXPECT_EQ(written("HEAD /g HTTP/1.1\r\nHost: h\r\n\r\n", {"a"}), std::string(head) + "\r\n|idle");
}

TEST(StreamedAnswer, OfHttp10IsTheConnectionsLast) {
  const std::string old = "GET /g HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  const std::string last =
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nab";
  EXPECT_EQ(written(old, {"a", "b"}), last + "|closed");
  EXPECT_EQ(written(old + old, {"a", "b"}),
            "refused;HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nwhole" +
                last + "|closed");
}

TEST(StreamedAnswer, ThoseBehindItFollow) {
  DrivenConnection c;
  proto::wire::Buffer out;
  EXPECT_EQ(c.serve(get + get), "GET /g, GET /g");
  EXPECT_TRUE(c.connection.is_first(0));
  EXPECT_FALSE(c.connection.is_first(1));
  EXPECT_EQ(c.answer(1, "kept"), "");
  EXPECT_TRUE(c.connection.begin_stream({.content_type = "text/plain"}, {}, out));
  c.connection.end_stream({}, out);
  EXPECT_EQ(out.view(),
            std::string(head) + "\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nkept");
}

}  // namespace
}  // namespace ringpost::proto::http
