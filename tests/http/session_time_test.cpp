// How long a session waits for its peer: idle, in mid-request, and in mid-answer.
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

constexpr std::string_view closed = "|receive: closed by the peer";
constexpr std::string_view post = "POST /now/x HTTP/1.1\r\nHost: a\r\n";

TEST(Timeout, IdleEndsInSilence) {
  Limits limits = tests::patient();
  limits.idle_timeout = 100ms;
  converse(limits, [](Conversation& c) -> Task<void> {
    for (int i = 0; i < 3; ++i) {  // each request begins the wait anew
      co_await c.sleep(50ms);
      c.client.send(get("/now/x"));
      EXPECT_EQ(co_await c.client.answer(), ok("x"));
    }
    EXPECT_EQ(co_await c.client.rest(), closed);
  });
}

// A connection that has asked nothing yet is no client between two requests.
TEST(Timeout, ANewConnectionHasAsLongAsAHeadAndEndsInSilence) {
  Limits limits = tests::patient();
  limits.head_timeout = 50ms;
  for (const std::string_view sent : {"", "\r\n"})
    converse(limits, [&](Conversation& c) -> Task<void> {
      const io::Time begin = c.reactor.now();
      if (!sent.empty()) c.client.send(sent);
      EXPECT_EQ(co_await c.client.rest(), closed);
      EXPECT_GE(c.reactor.now() - begin, 49ms);
      EXPECT_LT(c.reactor.now() - begin, 1s);
    });
  EXPECT_EQ(Limits().idle_timeout, 75s) << "nginx's, which clients and balancers are set up for";
}

TEST(Timeout, ASlowAnswerIsNoIdleness) {
  Limits limits = tests::patient();
  limits.idle_timeout = 100ms;
  converse(limits, [](Conversation& c) -> Task<void> {
    c.client.send(get("/after/250/late"));
    EXPECT_EQ(co_await c.client.answer(), ok("late"));
    co_await c.sleep(10ms);
    c.client.send(get("/now/on"));
    EXPECT_EQ(co_await c.client.answer(), ok("on"));
  });
}

TEST(Timeout, AHalfHeadIsAnswered408) {
  Limits limits = tests::patient();
  limits.head_timeout = 30ms;
  converse(limits, [](Conversation& c) -> Task<void> {
    const io::Time begin = c.reactor.now();
    // Bytes that trickle in do not move the deadline.
    for (const char byte : std::string_view("GET / HTTP/1.1\r")) {
      co_await c.client.send_now(std::string(1, byte));
      co_await c.sleep(1ms);
    }
    EXPECT_EQ(co_await c.client.answer(),
              "HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\n"
              "Content-Length: 68\r\nConnection: close\r\n\r\n"
              "{\"error\":\"request_timeout\",\"detail\":\"the head did not come in time\"}");
    EXPECT_GE(c.reactor.now() - begin, 29ms);
    EXPECT_LT(c.reactor.now() - begin, 1s);
    EXPECT_EQ(co_await c.client.rest(), closed);
  });
}

TEST(Timeout, AHalfBodyIsAnswered408) {
  Limits limits = tests::patient();
  limits.body_timeout = 30ms;
  for (const std::string_view rest : {"Content-Length: 10\r\n\r\n", "Content-Length: 10\r\n\r\nxxx",
                                      "Transfer-Encoding: chunked\r\n\r\n3\r\nab"}) {
    SCOPED_TRACE(rest);
    converse(limits, [&](Conversation& c) -> Task<void> {
      c.client.send(std::string(post).append(rest));
      EXPECT_EQ(co_await c.client.answer(),
                "HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\n"
                "Content-Length: 68\r\nConnection: close\r\n\r\n"
                "{\"error\":\"request_timeout\",\"detail\":\"the body did not come in time\"}");
      EXPECT_EQ(co_await c.client.rest(), closed);
      EXPECT_EQ(c.handler.handled, "");
    });
  }
}

// What the peer still has to be told, or has not read, gives it no more time for what it began.
TEST(Timeout, EarlierRequestsDoNotStretchAHeadOrABody) {
  Limits limits = tests::patient();
  limits.head_timeout = limits.body_timeout = 30ms;
  for (const std::string& half : {std::string("GET /now/y HTTP/1.1\r\nHo"),
                                  std::string(post).append("Content-Length: 10\r\n\r\nxxx")}) {
    SCOPED_TRACE(half);
    converse(limits, [&](Conversation& c) -> Task<void> {
      co_await c.client.send_now(get("/after/150/x") + half);
      co_await c.sleep(60ms);
      c.client.send(half.starts_with("GET") ? "st: a\r\n\r\n" : "yyyyyyy");
      EXPECT_EQ(co_await c.client.answer(), ok("x"));
      EXPECT_TRUE((co_await c.client.answer()).starts_with("HTTP/1.1 408 ")) << "in its turn";
      EXPECT_EQ(co_await c.client.rest(), closed);
      EXPECT_EQ(c.handler.handled, "/after/150/x");
    });
  }
}

TEST(Timeout, UnreadAnswersDoNotStretchAHead) {
  Limits limits = tests::patient();
  limits.unsent_bytes = 100'000'000;
  limits.head_timeout = 30ms;
  converse(
      limits,
      [](Conversation& c) -> Task<void> {
        co_await c.client.send_now(get("/large/10000000") + "GET /now/y HTTP/1.1\r\nHo");
        co_await c.sleep(60ms);
        c.client.send("st: a\r\n\r\n");
        EXPECT_TRUE(co_await c.client.answer() == ok(std::string(10'000'000, 'x')));
        EXPECT_TRUE((co_await c.client.answer()).starts_with("HTTP/1.1 408 "));
        EXPECT_EQ(co_await c.client.rest(), closed);
      },
      tests::tcp_pair());
}

// Nobody can be late with a body that he was not yet told to send.
TEST(Timeout, ABodyThatWaitsForItsInterimAnswerIsNotLate) {
  Limits limits = tests::patient();
  limits.body_timeout = 100ms;
  converse(limits, [](Conversation& c) -> Task<void> {
    c.client.send(get("/after/150/first") +
                  std::string(post).append("Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
    EXPECT_EQ(co_await c.client.answer(), ok("first"));
    EXPECT_EQ(co_await c.client.answer(), "HTTP/1.1 100 Continue\r\n\r\n");
    co_await c.sleep(60ms);
    c.client.send("xy");
    EXPECT_EQ(co_await c.client.answer(), ok("x"));
  });
}

// Some clients send an empty line behind a body (RFC 9112, 2.2): no request has begun.
TEST(Timeout, EmptyLinesAreIdleness) {
  Limits limits = tests::patient();
  limits.head_timeout = 20ms;
  limits.idle_timeout = 200ms;
  for (const std::string_view lines : {"\r", "\r\n", "\r\n\r"}) {
    converse(limits, [&](Conversation& c) -> Task<void> {
      c.client.send(std::string(post).append("Content-Length: 1\r\n\r\nx").append(lines));
      EXPECT_EQ(co_await c.client.answer(), ok("x"));
      co_await c.sleep(50ms);
      c.client.send((lines.ends_with('\r') ? "\n" : "") + get("/now/y"));
      EXPECT_EQ(co_await c.client.answer(), ok("y"));
      c.client.send(lines);
      EXPECT_EQ(co_await c.client.rest(), closed);
    });
  }
}

// What it had asked for by then is dropped, and nothing that came later is taken for it.
TEST(Timeout, AReaderThatIsCutOffIsServedNoFurther) {
  Limits limits = tests::patient();
  limits.write_timeout = 30ms;
  limits.unsent_bytes = 0;
  converse(limits, [](Conversation& c) -> Task<void> {
    co_await c.client.send_now(get("/large/4000000") + get("/now/first"));
    co_await c.client.send_now(get("/now/later"));
    EXPECT_LT(co_await c.ends(), 400);
    EXPECT_EQ(c.handler.handled, "/large/4000000");
  });
}

TEST(Timeout, AReaderThatTakesNothingIsCutOff) {
  Limits limits = tests::patient();
  limits.write_timeout = 30ms;
  converse(
      limits,
      [](Conversation& c) -> Task<void> {
        // Ten times what the kernel and the limit of unsent bytes hold.
        std::string requests;
        for (int i = 0; i < 400; ++i) requests += get("/large/100000");
        c.client.send(requests);
        co_await c.sleep(15ms);
        EXPECT_FALSE(c.ended());
        EXPECT_LT(co_await c.ends(), 400);
        const size_t begun = c.handler.handled.size() / std::string_view("/large/100000 ").size();
        EXPECT_LT(begun, 200u) << "what is not taken is not made";
      },
      tests::tcp_pair());
}

}  // namespace
}  // namespace ringpost::http
