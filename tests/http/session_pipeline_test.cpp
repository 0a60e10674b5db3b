// Requests that come before the earlier ones are answered (RFC 9112, 9.3.2): the order of the
// answers, how many sends they take, and what holds back a client that asks faster than it reads.
#include <gtest/gtest.h>

#include "tests/http/conversation.h"

namespace ringpost::http {
namespace {

using namespace std::chrono_literals;
using io::Task;
using tests::Conversation;
using tests::converse;
using tests::get;
using tests::HttpClient;
using tests::ok;

TEST(Pipeline, AnswersComeInTheOrderOfTheirRequests) {
  converse([](Conversation& c) -> Task<void> {
    c.client.send(get("/after/30/slow") + get("/now/fast") + get("/after/10/middle") +
                  "HEAD /now/head HTTP/1.1\r\nHost: a\r\n\r\n" + get("/drop") + get("/now/last"));
    EXPECT_EQ(co_await c.client.answer(), ok("slow"));
    EXPECT_EQ(co_await c.client.answer(), ok("fast"));
    EXPECT_EQ(co_await c.client.answer(), ok("middle"));
    EXPECT_EQ(co_await c.client.answer(true),
              "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\n");
    EXPECT_TRUE((co_await c.client.answer()).starts_with("HTTP/1.1 500 "));
    EXPECT_EQ(co_await c.client.answer(), ok("last"));
  });
}

TEST(Pipeline, NothingIsSentAheadOfAnEarlierAnswer) {
  converse([](Conversation& c) -> Task<void> {
    c.client.send(get("/after/50/first") + get("/now/second"));
    EXPECT_EQ(co_await c.client.within(20ms), "");
    EXPECT_EQ(co_await c.client.answer(), ok("first"));
    EXPECT_EQ(co_await c.client.answer(), ok("second"));
  });
}

// RFC 9112, 9.3.2: what may change something is not worked on beside what was asked before it, nor
// is what comes behind.
TEST(Pipeline, WhatIsNotSafeIsWorkedOnAlone) {
  for (const std::string_view post :
       {"POST /after/50/3 HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /after/50/3 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
        "BREW /after/50/3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"})
    converse([&](Conversation& c) -> Task<void> {
      co_await c.client.send_now(get("/after/40/1") + get("/after/20/2") + std::string(post) +
                                 get("/after/20/4") + get("/now/5"));
      EXPECT_EQ(c.handler.handled, "/after/40/1 /after/20/2");
      EXPECT_EQ(co_await c.client.answer(), ok("1"));
      EXPECT_EQ(co_await c.client.answer(), ok("2"));
      co_await c.sleep(5ms);
      EXPECT_EQ(c.handler.handled, "/after/40/1 /after/20/2 /after/50/3");
      EXPECT_EQ(co_await c.client.answer(), ok("3"));
      co_await c.sleep(5ms);
      EXPECT_EQ(c.handler.handled, "/after/40/1 /after/20/2 /after/50/3 /after/20/4 /now/5");
      EXPECT_EQ(co_await c.client.answer(), ok("4"));
      EXPECT_EQ(co_await c.client.answer(), ok("5"));
    });
}

TEST(Pipeline, WhatIsReadyInOneTurnLeavesInOneSend) {
  converse(
      {},
      [](Conversation& c) -> Task<void> {
        c.client.send(get("/now/1") + get("/now/2") + get("/now/3"));
        std::string sent = co_await c.client.arrival();
        for (int i = 0; i < 3; ++i) HttpClient::take_date(sent);
        EXPECT_EQ(sent, ok("1") + ok("2") + ok("3"));

        c.client.send(get("/after/5/slow") + get("/now/2") + get("/now/3"));
        sent = co_await c.client.arrival();
        for (int i = 0; i < 3; ++i) HttpClient::take_date(sent);
        EXPECT_EQ(sent, ok("slow") + ok("2") + ok("3")) << "with those that waited for it";
      },
      tests::socket_pair(SOCK_SEQPACKET));
}

TEST(Pipeline, AtItsLimitFurtherRequestsWaitAndNoneIsLost) {
  Limits limits;
  limits.pipelined = 3;
  converse(limits, [](Conversation& c) -> Task<void> {
    std::string requests;
    for (int i = 0; i < 10; ++i) requests += get("/after/20/" + std::to_string(i));
    co_await c.client.send_now(requests);
    EXPECT_EQ(c.handler.handled, "/after/20/0 /after/20/1 /after/20/2");
    for (int i = 0; i < 10; ++i) EXPECT_EQ(co_await c.client.answer(), ok(std::to_string(i)));
    c.client.send(get("/now/on"));
    EXPECT_EQ(co_await c.client.answer(), ok("on"));
  });
}

// The kernel's buffers and the session's, then the sender stands still.
TEST(Pipeline, AtItsLimitItStopsReading) {
  Limits limits;
  limits.pipelined = 1;
  converse(limits, [](Conversation& c) -> Task<void> {
    co_await c.client.send_now(get("/after/500/first"));
    const int size = 16 * 1024;
    setsockopt(c.client.fd(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    std::string requests;
    size_t count = 0;
    for (; requests.size() < 1 << 20; ++count) requests += get("/now/" + std::to_string(count));
    size_t sent = 0;
    for (int pause = 0; pause < 10; ++pause) {
      ssize_t taken;
      while ((taken = ::send(c.client.fd(), requests.data() + sent, requests.size() - sent,
                             MSG_DONTWAIT)) > 0)
        sent += static_cast<size_t>(taken);
      co_await c.sleep(1ms);
    }
    EXPECT_LT(sent, 128u * 1024);
    EXPECT_EQ(c.handler.handled, "/after/500/first");
    c.client.send(std::string_view(requests).substr(sent));
    EXPECT_EQ(co_await c.client.answer(), ok("first"));
    for (size_t i = 0; i < count; ++i)
      if (const std::string answer = co_await c.client.answer(); answer != ok(std::to_string(i))) {
        ADD_FAILURE() << i << ": " << answer;
        co_return;
      }
  });
}

TEST(Pipeline, AClientThatDoesNotReadIsNotServedFurther) {
  Limits limits;
  limits.unsent_bytes = 10'000;
  converse(limits, [](Conversation& c) -> Task<void> {
    const int size = 4 * 1024;
    setsockopt(c.client.fd(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    std::string requests;
    for (int i = 0; i < 100; ++i) requests += get("/large/100000");
    co_await c.client.send_now(requests);
    co_await c.sleep(20ms);
    const size_t begun = c.handler.handled.size() / std::string_view("/large/100000 ").size();
    EXPECT_LT(begun, 10u);
    for (int i = 0; i < 100; ++i)
      if (const std::string answer = co_await c.client.answer();
          answer != ok(std::string(100'000, 'x'))) {
        ADD_FAILURE() << i << ": " << answer.substr(0, 200);
        co_return;
      }
  });
}

constexpr std::string_view conversation =
    "\r\nGET /now/1 HTTP/1.1\r\nHost: a\r\n\r\n"
    "POST /now/2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /"
    "PUT /now/3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    "4;x=\"y\"\r\n\r\n\r\n\r\n1\r\n0\r\n0\r\nTrailer: t\r\n\r\n"
    "HEAD /now/4 HTTP/1.1\r\nHost: a\r\n\r\n"
    "GET /now/5 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    "DELETE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

std::string conversation_answers() {
  return ok("1") + ok("2") + ok("3") +
         "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\n" +
         ok("5", "Connection: keep-alive\r\n") +
         "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n"
         "X-Why: no such path\r\n\r\n|receive: closed by the peer";
}

TEST(Pipeline, TheAnswersDoNotDependOnHowTheRequestsWereCut) {
  for (size_t cut = 0; cut <= conversation.size(); ++cut) {
    SCOPED_TRACE(cut);
    converse([&](Conversation& c) -> Task<void> {
      co_await c.client.send_now(std::string(conversation.substr(0, cut)));
      c.client.send(conversation.substr(cut));
      std::string answers = co_await c.client.rest();
      while (!HttpClient::take_date(answers).empty()) continue;
      EXPECT_EQ(answers, conversation_answers());
    });
  }
}

TEST(Pipeline, NorOnItsComingByteByByte) {
  converse([](Conversation& c) -> Task<void> {
    for (const char byte : conversation) co_await c.client.send_now(std::string(1, byte));
    std::string answers = co_await c.client.rest();
    while (!HttpClient::take_date(answers).empty()) continue;
    EXPECT_EQ(answers, conversation_answers());
  });
}

}  // namespace
}  // namespace ringpost::http
