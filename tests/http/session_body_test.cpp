// Requests with bodies, which are read and dropped; the interim answer 100; and what a session does
// with bytes that are no request.
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

TEST(Body, ALongOneIsDroppedAndTheNextRequestFound) {
  converse([](Conversation& c) -> Task<void> {
    const std::string content(1 << 20, 'G');
    c.client.send("POST /now/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n" + content +
                  get("/now/2"));
    EXPECT_EQ(co_await c.client.answer(), ok("1"));
    EXPECT_EQ(co_await c.client.answer(), ok("2"));
    c.client.send(
        "POST /now/3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "80000\r\n" +
        content.substr(0, 0x80000) + "\r\n7ffff\r\n" + content.substr(0, 0x7ffff) +
        "\r\n0\r\n\r\n" + get("/now/4"));
    EXPECT_EQ(co_await c.client.answer(), ok("3"));
    EXPECT_EQ(co_await c.client.answer(), ok("4"));
  });
}

TEST(Body, TheRequestIsHandledWhenAllOfItHasCome) {
  converse([](Conversation& c) -> Task<void> {
    co_await c.client.send_now("POST /now/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx");
    EXPECT_EQ(c.handler.handled, "");
    c.client.send("y");
    EXPECT_EQ(co_await c.client.answer(), ok("1"));
    c.client.send("POST /now/2 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(co_await c.client.answer(), ok("2"));
  });
}

TEST(Body, TheConnectionFieldOfARequestWithABodyCounts) {
  converse([](Conversation& c) -> Task<void> {
    c.client.send(
        "POST /now/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nxy");
    EXPECT_EQ(co_await c.client.answer(), ok("1", "Connection: close\r\n"));
    EXPECT_EQ(co_await c.client.rest(), closed);
  });
}

TEST(Expect, IsAnsweredBeforeTheBody) {
  converse([](Conversation& c) -> Task<void> {
    for (const std::string_view field : {"Content-Length: 2", "Transfer-Encoding: chunked"}) {
      c.client.send("PUT /now/done HTTP/1.1\r\nHost: a\r\n" + std::string(field) +
                    "\r\nExpect: 100-continue\r\n\r\n");
      EXPECT_EQ(co_await c.client.answer(), "HTTP/1.1 100 Continue\r\n\r\n");
      c.client.send(field.starts_with("C") ? "xy" : "2\r\nxy\r\n0\r\n\r\n");
      EXPECT_EQ(co_await c.client.answer(), ok("done"));
    }
  });
}

// RFC 9110, 10.1.1.
TEST(Expect, IsNotAnsweredWhenTheBodyIsThereOrThereIsNone) {
  converse([](Conversation& c) -> Task<void> {
    c.client.send(
        "PUT /now/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nxy");
    EXPECT_EQ(co_await c.client.answer(), ok("1"));
    co_await c.client.send_now(
        "PUT /now/2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nx");
    c.client.send("y");
    EXPECT_EQ(co_await c.client.answer(), ok("2"));
    c.client.send("GET /now/3 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_EQ(co_await c.client.answer(), ok("3"));
    c.client.send("PUT /now/4 HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_EQ(co_await c.client.within(20ms), "") << "HTTP/1.0 has no interim answers";
    c.client.send("xy");
    EXPECT_EQ(co_await c.client.answer(), ok("4", "Connection: close\r\n"));
  });
}

TEST(Expect, TheInterimAnswerWaitsForEarlierAnswers) {
  converse([](Conversation& c) -> Task<void> {
    c.client.send(get("/after/20/first") +
                  "PUT /now/second HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                  "Expect: 100-continue\r\n\r\n");
    EXPECT_EQ(co_await c.client.answer(), ok("first"));
    EXPECT_EQ(co_await c.client.answer(), "HTTP/1.1 100 Continue\r\n\r\n");
    c.client.send("xy");
    EXPECT_EQ(co_await c.client.answer(), ok("second"));
  });
}

// RFC 9110, 10.1.1: the final answer at once, instead of a body that is sent for nothing. Whether
// the body comes all the same can't be known, so the connection ends.
TEST(Expect, OfABodyThatIsNotTakenGetsTheFinalAnswerAtOnce) {
  constexpr std::string_view not_found =
      "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n"
      "X-Why: no such path\r\n\r\n";
  for (const std::string& earlier : {std::string(), get("/after/20/first")})
    for (const std::string_view field : {"Content-Length: 2", "Transfer-Encoding: chunked"})
      converse([&](Conversation& c) -> Task<void> {
        c.client.send(earlier + "PUT /nowhere HTTP/1.1\r\nHost: a\r\n" + std::string(field) +
                      "\r\nExpect: 100-continue\r\n\r\n");
        if (!earlier.empty()) {
          EXPECT_EQ(co_await c.client.answer(), ok("first"));
        }
        EXPECT_EQ(co_await c.client.answer(), not_found);
        c.client.send("GET /now/smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
        EXPECT_EQ(co_await c.client.rest(), closed);
        EXPECT_TRUE(c.handler.handled.ends_with("/nowhere")) << c.handler.handled;
      });
}

TEST(Expect, OfABodyThatHasBegunIsReadWhetherItIsTakenOrNot) {
  converse([](Conversation& c) -> Task<void> {
    for (const std::string_view field : {"", "Expect: 100-continue\r\n"}) {
      c.client.send("PUT /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n" +
                    std::string(field) + "\r\nxy" + get("/now/on"));
      EXPECT_TRUE((co_await c.client.answer()).starts_with("HTTP/1.1 404 "));
      EXPECT_EQ(co_await c.client.answer(), ok("on"));
    }
  });
}

std::string head_of(std::string request_line, int fields) {
  for (int i = 0; i < fields; ++i) request_line += "F: v\r\n";
  return request_line + "\r\n";
}

struct Refused {
  const char* what;
  std::string request;
  std::string_view status, error;
};

// The answer's words are the parser's; that it is JSON with a stable code, and the last, is the
// session's.
TEST(Refusal, HasAStatusAJsonBodyAndEndsTheConnection) {
  const Refused all[] = {
      {"no HTTP", "\x16\x03\x01\x02", "400 Bad Request", "bad_request"},
      {"no Host", "GET / HTTP/1.1\r\n\r\n", "400 Bad Request", "bad_request"},
      {"two lengths", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
       "400 Bad Request", "bad_request"},
      {"two framings",
       "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       "400 Bad Request", "bad_request"},
      {"a chunk's size is no number",
       "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "400 Bad Request",
       "bad_request"},
      {"body too large", "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n",
       "413 Content Too Large", "content_too_large"},
      {"chunks too large", "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n",
       "413 Content Too Large", "content_too_large"},
      {"too large, and would have waited",
       "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n",
       "413 Content Too Large", "content_too_large"},
      {"target too long", "GET /" + std::string(8192, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n",
       "414 URI Too Long", "uri_too_long"},
      {"unknown expectation", "PUT / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n",
       "417 Expectation Failed", "expectation_failed"},
      {"too many fields", head_of("GET / HTTP/1.1\r\nHost: a\r\n", 100),
       "431 Request Header Fields Too Large", "request_header_fields_too_large"},
      {"unknown coding", "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
       "501 Not Implemented", "not_implemented"},
      {"unknown version", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505 HTTP Version Not Supported",
       "http_version_not_supported"},
  };
  Limits limits;
  limits.body_bytes = 1000;
  for (const Refused& refused : all) {
    SCOPED_TRACE(refused.what);
    converse(limits, [&](Conversation& c) -> Task<void> {
      c.client.send(get("/now/before") + refused.request + get("/now/behind"));
      EXPECT_EQ(co_await c.client.answer(), ok("before"));
      const std::string answer = co_await c.client.answer();
      const size_t body = answer.find("\r\n\r\n") + 4;
      EXPECT_EQ(answer.substr(0, body),
                "HTTP/1.1 " + std::string(refused.status) +
                    "\r\nContent-Type: application/json\r\nContent-Length: " +
                    std::to_string(answer.size() - body) + "\r\nConnection: close\r\n\r\n");
      EXPECT_TRUE(answer.substr(body).starts_with("{\"error\":\"" + std::string(refused.error) +
                                                  "\",\"detail\":\""))
          << answer.substr(body);
      EXPECT_TRUE(answer.ends_with("\"}")) << answer;
      EXPECT_EQ(co_await c.client.rest(), closed);
      EXPECT_EQ(c.handler.handled, "/now/before");
    });
  }
}

TEST(Refusal, ComesInItsTurn) {
  converse([](Conversation& c) -> Task<void> {
    c.client.send(get("/after/20/first") + "nonsense\r\n\r\n");
    EXPECT_EQ(co_await c.client.answer(), ok("first"));
    EXPECT_TRUE((co_await c.client.answer()).starts_with("HTTP/1.1 400 "));
    EXPECT_EQ(co_await c.client.rest(), closed);
  });
}

// An answer to HEAD has no body, whatever its status (RFC 9112, 6.3): a client would take the body
// for the next answer.
TEST(Refusal, OfAHeadHasTheHeadAlone) {
  Limits limits;
  limits.body_bytes = 1000;
  converse(limits, [](Conversation& c) -> Task<void> {
    c.client.send("HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n");
    EXPECT_TRUE((co_await c.client.answer(true)).starts_with("HTTP/1.1 413 "));
    EXPECT_EQ(co_await c.client.rest(), closed);
  });
}

// Closing with bytes unread would reset the connection, and the answer could be lost.
TEST(Refusal, IsReadByAClientThatGoesOnSending) {
  converse(
      {},
      [](Conversation& c) -> Task<void> {
        c.client.send("nonsense\r\n\r\n");
        for (int i = 0; i < 50; ++i) {
          co_await c.client.send_now(std::string(64 * 1024, 'x'));
          co_await c.sleep(1ms);
        }
        EXPECT_TRUE((co_await c.client.answer()).starts_with("HTTP/1.1 400 "));
        EXPECT_EQ(co_await c.client.rest(), closed);
      },
      tests::tcp_pair());
}

// As one whose line is slow: it reads the answer once its body is sent.
TEST(Refusal, WaitsForAClientThatSendsSlowly) {
  Limits limits = tests::patient();
  limits.linger_timeout = 100ms;
  converse(
      limits,
      [](Conversation& c) -> Task<void> {
        c.client.send("nonsense\r\n\r\n");
        for (int i = 0; i < 20; ++i) {
          co_await c.client.send_now("x");
          co_await c.sleep(20ms);
        }
        EXPECT_FALSE(c.ended());
        EXPECT_TRUE((co_await c.client.answer()).starts_with("HTTP/1.1 400 "));
        EXPECT_LT(co_await c.ends(), 300) << "of its silence";
      },
      tests::tcp_pair());
}

TEST(Refusal, AClientThatDoesNotStopIsCutOff) {
  Limits limits;
  limits.linger_timeout = limits.linger_limit = 30ms;
  converse(
      limits,
      [](Conversation& c) -> Task<void> {
        c.client.send("nonsense\r\n\r\n");
        for (int i = 0; i < 200 && !c.ended(); ++i) {
          co_await c.client.send_now("x");
          co_await c.sleep(1ms);
        }
        EXPECT_TRUE(c.ended());
      },
      tests::tcp_pair());
}

}  // namespace
}  // namespace ringpost::http
