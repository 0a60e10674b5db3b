// Bodies that handlers read, whole or as they come, and answers that are sent as they are made.
#include <algorithm>

#include <gtest/gtest.h>

#include "tests/http/conversation.h"

namespace ringpost::http {
namespace {

using namespace std::chrono_literals;
using io::Task;
using tests::Conversation;
using tests::converse;
using tests::get;
using tests::ok;
using tests::patient;

constexpr std::string_view closed = "|receive: closed by the peer";

std::string put(std::string_view target, std::string_view body) {
  return "PUT " + std::string(target) +
         " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}
std::string put_chunked(std::string_view target, std::string_view chunks) {
  return "PUT " + std::string(target) +
         " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(chunks);
}

TEST(WholeBody, IsTheHandlers) {
  converse([](Conversation& c) -> Task<void> {
    c.client.send(put("/whole/100", "all of it") + put("/whole/100", "") +
                  put_chunked("/whole/100", "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: r\r\n\r\n") +
                  get("/whole/100") + get("/now/behind"));
    for (const std::string_view body : {"all of it", "", "abcde", "", "behind"})
      EXPECT_EQ(co_await c.client.answer(), ok(body));
  });
}

TEST(WholeBody, ComesInAnyPieces) {
  converse([](Conversation& c) -> Task<void> {
    for (const char byte : put("/whole/9", "123456789")) co_await c.client.send_now({&byte, 1});
    EXPECT_EQ(co_await c.client.answer(), ok("123456789"));
    for (const char byte : put_chunked("/whole/9", "4\r\n1234\r\n1\r\n5\r\n0\r\n\r\n"))
      co_await c.client.send_now({&byte, 1});
    EXPECT_EQ(co_await c.client.answer(), ok("12345"));
  });
}

TEST(WholeBody, ThatIsTooLargeIsRefusedBeforeItComes) {
  for (const std::string& request :
       {put("/whole/4", "12345"), put_chunked("/whole/4", "5\r\n12345\r\n0\r\n\r\n"),
        put("/stream/4", "12345")}) {
    converse([&](Conversation& c) -> Task<void> {
      c.client.send(request + get("/now/behind"));
      const std::string answer = co_await c.client.answer();
      EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 Content Too Large\r\n")) << answer;
      EXPECT_TRUE(answer.contains("Connection: close\r\n"));
      EXPECT_EQ(co_await c.client.rest(), closed);
      EXPECT_EQ(c.handler.handled, "");
    });
  }
  converse([](Conversation& c) -> Task<void> {
    c.client.send(
        "PUT /whole/4 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    const std::string answer = co_await c.client.answer();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 Content Too Large\r\n")) << answer;
  });
}

TEST(WholeBody, IsAskedForWhereTheClientWaits) {
  converse([](Conversation& c) -> Task<void> {
    for (const std::string_view target : {"/whole/9", "/stream/9"}) {
      c.client.send("PUT " + std::string(target) +
                    " HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
      EXPECT_EQ(co_await c.client.answer(), "HTTP/1.1 100 Continue\r\n\r\n");
      c.client.send("xy");
      EXPECT_EQ(co_await c.client.answer(), ok(target == "/whole/9" ? "xy" : "2"));
    }
  });
}

TEST(WholeBody, ItsMemoryIsReservedBeforeItIsAskedFor) {
  Limits limits = patient();
  limits.answer_memory = 40'000;
  limits.room_timeout = 30ms;
  converse(limits, [](Conversation& c) -> Task<void> {
    c.client.send(
        "PUT /whole/90000 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: "
        "100-continue\r\n\r\n");
    EXPECT_EQ(co_await c.client.answer(), "HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_GT(c.context.budget().charged(), 0u);
    c.client.send("xy");
    EXPECT_EQ(co_await c.client.answer(), ok("xy"));
    // Somebody has nearly all of it.
    struct Other final : Budget::Account {
      size_t held() const override { return 39'000; }
    };
    Other other;
    EXPECT_TRUE(c.context.budget().reserve(other, 39'000));
    c.client.send(
        "PUT /whole/90000 HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\nExpect: "
        "100-continue\r\n\r\n");
    EXPECT_EQ(co_await c.client.answer(),
              "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n"
              "Retry-After: 1\r\n\r\n");
    c.context.budget().close(other);
  });
}

TEST(StreamedBody, IsReadAsItComes) {
  converse([](Conversation& c) -> Task<void> {
    co_await c.client.send_now("PUT /stream/100 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    EXPECT_EQ(c.handler.handled, "");
    co_await c.client.send_now("1");
    EXPECT_EQ(c.handler.handled, "/stream/100");
    EXPECT_EQ(c.handler.streams, "");
    co_await c.client.send_now("234");
    c.client.send("5" + put_chunked("/stream/100", "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n") +
                  get("/stream/100") + get("/now/behind"));
    for (const std::string_view body : {"5", "4", "0", "behind"})
      EXPECT_EQ(co_await c.client.answer(), ok(body));
    EXPECT_EQ(c.handler.streams, "in 5 ok;in 4 ok;in 0 ok;");
  });
}

// A mebibyte at once, into a window of 64 KiB.
TEST(StreamedBody, ThatIsNotReadIsNotReceived) {
  converse(patient(), [](Conversation& c) -> Task<void> {
    c.handler.reads = false;
    c.client.send(put("/stream/1048576", std::string(1 << 20, 'x')) + get("/now/behind"));
    co_await c.sleep(100ms);
    EXPECT_GT(c.client.unsent(), 0u);
    c.handler.reads = true;
    EXPECT_EQ(co_await c.client.answer(), ok("1048576"));
    EXPECT_EQ(co_await c.client.answer(), ok("behind"));
  });
}

TEST(StreamedBody, ItsErrorsReachItsReader) {
  Limits limits = patient();
  limits.body_timeout = 50ms;
  struct Case {
    std::string request, answer, said;
  };
  const Case cases[] = {
      {put_chunked("/stream/9", "2\r\nab\r\nx\r\n"), "400 Bad Request",
       "in 2 a chunk's size is no hexadecimal number;"},
      {put_chunked("/stream/3", "2\r\nab\r\n2\r\ncd\r\n"), "413 Content Too Large",
       "in 2 the body is larger than this server takes;"},
      {put_chunked("/stream/9", "2\r\nab"), "408 Request Timeout",
       "in 2 the body did not come in time;"},
  };
  for (const Case& each : cases)
    converse(limits, [&](Conversation& c) -> Task<void> {
      c.client.send(each.request);
      const std::string answer = co_await c.client.answer();
      EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + each.answer)) << answer;
      EXPECT_TRUE(answer.contains("Connection: close\r\n")) << answer;
      EXPECT_EQ(co_await c.client.rest(), closed);
      EXPECT_EQ(c.handler.streams, each.said);
    });
}

TEST(StreamedBody, OfAPeerThatIsGoneEnds) {
  converse(patient(), [](Conversation& c) -> Task<void> {
    co_await c.client.send_now("PUT /stream/9 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
    co_await c.client.close();
    EXPECT_LT(co_await c.ends(), 500);
    EXPECT_EQ(c.handler.streams, "in 2 the connection ended within the body;");
  });
}

TEST(StreamedBody, ThatWasHandedOverIsReceivedWhileDraining) {
  Limits limits = patient();
  limits.drain_grace = 20ms;
  converse(limits, [](Conversation& c) -> Task<void> {
    co_await c.client.send_now("PUT /stream/9 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
    c.session.drain();
    co_await c.sleep(60ms);
    c.client.send("cde" + get("/now/behind"));
    EXPECT_EQ(co_await c.client.answer(), ok("5", "Connection: close\r\n"));
    EXPECT_EQ(co_await c.client.rest(), closed);
  });
}

constexpr std::string_view chunked_head =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n";

// What comes up to the end of the connection, without Date.
Task<std::string> all_of(Conversation& c, std::string_view request) {
  c.client.send(request);
  std::string all = co_await c.client.rest();
  for (bool found = true; found;) found = !tests::HttpClient::take_date(all).empty();
  co_return all;
}

TEST(StreamedReply, IsSentInChunksAndInItsTurn) {
  converse([](Conversation& c) -> Task<void> {
    const std::string all =
        co_await all_of(c, get("/after/20/first") + get("/pieces/3/17") + get("/pieces/0/0") +
                               "GET /now/last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(all, ok("first") + std::string(chunked_head) + "X-Y: z\r\n\r\n" +
                       "11\r\naaaaaaaaaaaaaaaaa\r\n11\r\nbbbbbbbbbbbbbbbbb\r\n"
                       "11\r\nccccccccccccccccc\r\n0\r\n\r\n" +
                       std::string(chunked_head) + "X-Y: z\r\n\r\n0\r\n\r\n" +
                       ok("last", "Connection: close\r\n") + std::string(closed));
    EXPECT_EQ(c.handler.streams, "out 0 ok;out 3 ok;");
  });
}

TEST(StreamedReply, ToHeadIsItsHead) {
  converse([](Conversation& c) -> Task<void> {
    const std::string all = co_await all_of(
        c,
        "HEAD /pieces/3/2 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /pieces/1/2 HTTP/1.1\r\nHost: a\r\n"
        "Connection: close\r\n\r\n");
    EXPECT_EQ(all, std::string(chunked_head) + "X-Y: z\r\n\r\n" + std::string(chunked_head) +
                       "Connection: close\r\nX-Y: z\r\n\r\n" + std::string(closed));
  });
}

// RFC 9112, 6.3: the connection's end is the body's.
TEST(StreamedReply, OfHttp10EndsWithTheConnection) {
  converse([](Conversation& c) -> Task<void> {
    const std::string all =
        co_await all_of(c, "GET /pieces/2/3 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_EQ(all,
              "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n"
              "X-Y: z\r\n\r\naaabbb" +
                  std::string(closed));
  });
  converse([](Conversation& c) -> Task<void> {
    c.client.send(
        "GET /after/20/1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
        "GET /pieces/2/3 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
        "GET /now/behind HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_EQ(co_await c.client.answer(), ok("1", "Connection: keep-alive\r\n"));
    EXPECT_TRUE((co_await c.client.answer()).starts_with("HTTP/1.1 501 Not Implemented\r\n"));
    EXPECT_EQ(co_await c.client.answer(), ok("behind", "Connection: keep-alive\r\n"));
  });
}

TEST(StreamedReply, WaitsForItsReader) {
  Limits limits = patient();
  limits.unsent_bytes = 10'000;
  converse(limits, [](Conversation& c) -> Task<void> {
    co_await c.client.send_now(get("/pieces/400/10000"));
    co_await c.sleep(50ms);
    EXPECT_EQ(c.handler.streams, "");
    EXPECT_LT(c.context.budget().charged(), 4'000'000u * 4);
    // Other requests of the connection wait with it.
    co_await c.client.send_now(get("/now/behind"));
    EXPECT_EQ(c.handler.handled, "/pieces/400/10000");
    c.client.end();
    const std::string all = co_await c.client.rest();
    EXPECT_EQ(c.handler.streams, "out 400 ok;");
    EXPECT_TRUE(all.ends_with("\r\n\r\nbehind" + std::string(closed)));
    EXPECT_GT(all.size(), 4'000'000u);
  });
}

TEST(StreamedReply, AClientThatTakesNothingIsGivenUp) {
  Limits limits = patient();
  limits.unsent_bytes = 10'000;
  limits.write_timeout = 50ms;
  converse(limits, [](Conversation& c) -> Task<void> {
    co_await c.client.send_now(get("/pieces/4000/10000"));
    EXPECT_LT(co_await c.ends(), 900);
    EXPECT_TRUE(c.handler.streams.starts_with("out ") && !c.handler.streams.contains(" ok;"))
        << c.handler.streams;
  });
}

TEST(StreamedReply, OfAPeerThatIsGoneEnds) {
  Limits limits = patient();
  limits.unsent_bytes = 10'000;
  converse(limits, [](Conversation& c) -> Task<void> {
    co_await c.client.send_now(get("/pieces/4000/10000"));
    co_await c.client.close();
    EXPECT_LT(co_await c.ends(), 500);
    EXPECT_TRUE(c.handler.streams.starts_with("out ") && !c.handler.streams.contains(" ok;"))
        << c.handler.streams;
  });
}

TEST(StreamedReply, ThatIsGivenUpIsCutSoThatTheClientKnows) {
  converse(
      patient(),
      [](Conversation& c) -> Task<void> {
        c.client.send(get("/pieces/1/5/cut") + get("/now/behind"));
        const std::string all = co_await c.client.rest();
        EXPECT_FALSE(all.contains("behind")) << all;
        EXPECT_FALSE(all.contains("0\r\n\r\n")) << all;
        EXPECT_LT(co_await c.ends(), 500);
      },
      tests::tcp_pair());
}

TEST(StreamedReply, MayAnswerABodyThatStillComes) {
  converse(patient(), [](Conversation& c) -> Task<void> {
    const std::string body(300'000, 'e');
    const std::string all = co_await all_of(
        c, "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\nConnection: close\r\n\r\n" +
               body);
    EXPECT_GT(std::count(all.begin(), all.end(), 'e'), 300'000);
    EXPECT_TRUE(all.ends_with("\r\n0\r\n\r\n" + std::string(closed))) << all.substr(0, 200);
  });
  converse(patient(), [](Conversation& c) -> Task<void> {
    const std::string all =
        co_await all_of(c, "PUT /echo HTTP/1.0\r\nContent-Length: 5\r\n\r\nabcde");
    EXPECT_TRUE(all.ends_with("\r\n\r\nabcde" + std::string(closed))) << all;
  });
}

TEST(StreamedReply, EndsWithItsSession) {
  Limits limits = patient();
  limits.unsent_bytes = 10'000;
  converse(limits, [](Conversation& c) -> Task<void> {
    co_await c.client.send_now(get("/pieces/4000/10000") + get("/pieces/1/1"));
    c.scope.cancel();
    EXPECT_LT(co_await c.ends(), 500);
    EXPECT_TRUE(c.handler.streams.contains("cancelled")) << c.handler.streams;
  });
}

}  // namespace
}  // namespace ringpost::http
