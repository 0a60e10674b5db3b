// What a session makes of whole requests: how long the connection lives, what is said about it, and
// what is in an answer.
#include "src/http/session.h"

#include <ctime>

#include <gtest/gtest.h>

#include "proto/http/date.h"
#include "tests/http/conversation.h"

namespace ringpost::http {
namespace {

using namespace std::chrono_literals;
using io::Task;
using tests::Conversation;
using tests::converse;
using tests::get;
using tests::HttpClient;

TEST(Session, AnswersOneRequestAfterAnother) {
  converse([](Conversation& c) -> Task<void> {
    for (int i = 0; i < 3; ++i) {
      c.client.send("GET /now/hello HTTP/1.1\r\nHost: a\r\n\r\n");
      EXPECT_EQ(co_await c.client.answer(),
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello");
    }
    EXPECT_FALSE(c.ended());
  });
}

struct Ending {
  std::string_view request, answer;
  bool closes;
};

// RFC 9112, 9.3 and 9.6.
TEST(Session, TheVersionAndConnectionDecideWhetherItGoesOn) {
  static constexpr Ending endings[] = {
      {"GET /now/1 HTTP/1.1\r\nHost: a\r\n\r\n",
       "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\n1", false},
      {"GET /now/2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
       "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n"
       "Connection: close\r\n\r\n2",
       true},
      {"GET /now/3 HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n",
       "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n"
       "Connection: close\r\n\r\n3",
       true},
      {"GET /now/4 HTTP/1.0\r\n\r\n",
       "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n"
       "Connection: close\r\n\r\n4",
       true},
      {"GET /now/5 HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
       "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n"
       "Connection: keep-alive\r\n\r\n5",
       false},
      {"GET /after/5/6 HTTP/1.0\r\n\r\n",
       "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n"
       "Connection: close\r\n\r\n6",
       true},
  };
  for (const Ending& ending : endings) {
    SCOPED_TRACE(ending.request);
    converse([&](Conversation& c) -> Task<void> {
      c.client.send(ending.request);
      EXPECT_EQ(co_await c.client.answer(), ending.answer);
      if (ending.closes) {
        EXPECT_EQ(co_await c.client.rest(), "|receive: closed by the peer");
        co_return;
      }
      c.client.send(get("/now/again"));
      EXPECT_EQ(co_await c.client.answer(), tests::ok("again"));
    });
  }
}

TEST(Session, WhatFollowsTheLastRequestIsNotTaken) {
  converse([](Conversation& c) -> Task<void> {
    c.client.send("GET /now/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + get("/now/2"));
    EXPECT_EQ(co_await c.client.answer(), tests::ok("1", "Connection: close\r\n"));
    c.client.send(get("/now/3"));
    EXPECT_EQ(co_await c.client.rest(), "|receive: closed by the peer");
    EXPECT_EQ(c.handler.handled, "/now/1");
  });
}

TEST(Session, HeadHasTheHeadAlone) {
  converse([](Conversation& c) -> Task<void> {
    c.client.send("HEAD /large/1000 HTTP/1.1\r\nHost: a\r\n\r\n" + get("/now/x"));
    EXPECT_EQ(co_await c.client.answer(true),
              "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n");
    EXPECT_EQ(co_await c.client.answer(), tests::ok("x"));
  });
}

TEST(Session, FieldsAreTheServices) {
  converse([](Conversation& c) -> Task<void> {
    c.client.send(get("/"));
    EXPECT_EQ(co_await c.client.answer(),
              "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nX-Why: no such path\r\n\r\n");
  });
}

TEST(Session, ADroppedReplyIsAnsweredForTheService) {
  converse([](Conversation& c) -> Task<void> {
    c.client.send(get("/drop"));
    EXPECT_EQ(co_await c.client.answer(),
              "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n"
              "Content-Length: 20\r\n\r\n{\"error\":\"internal\"}");
    c.client.send(get("/now/on"));
    EXPECT_EQ(co_await c.client.answer(), tests::ok("on"));
  });
}

// Fields of what this server does not do: ranges, conditions without validators, negotiation,
// upgrades (RFC 9110, 5.1, 7.8, 12, 13, 14).
TEST(Session, FieldsOfWhatItDoesNotDoChangeNothing) {
  converse([](Conversation& c) -> Task<void> {
    for (const std::string_view fields :
         {"Range: bytes=0-0\r\n", "If-None-Match: *\r\n", "If-Modified-Since: no date\r\n",
          "If-Match: \"x\"\r\n", "Accept: image/png;q=0\r\n", "Accept-Encoding: gzip\r\n",
          "Connection: upgrade\r\nUpgrade: websocket\r\n", "Connection: TE\r\nTE: gzip\r\n",
          "Max-Forwards: 0\r\n", "Content-Encoding: gzip\r\n", "X-Unheard-Of: x\r\n"}) {
      c.client.send("GET /now/x HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n");
      EXPECT_EQ(co_await c.client.answer(), tests::ok("x")) << fields;
    }
  });
}

// RFC 9110, 6.6.1 and 15.2.1.
TEST(Session, EveryAnswerButAnInterimOneHasADate) {
  converse([](Conversation& c) -> Task<void> {
    c.client.send(
        "PUT /now/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_EQ(co_await c.client.answer(), "HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_EQ(c.client.date(), "");
    c.client.send("x" + get("/nothing") + get("/drop") + "nonsense\r\n\r\n");
    for (const std::string_view status : {"200", "404", "500", "400"}) {
      EXPECT_EQ((co_await c.client.answer()).substr(9, 3), status);
      EXPECT_EQ(c.client.date().size(), size_t{proto::http::date_length}) << status;
    }
  });
}

std::string date_now() {
  char text[proto::http::date_length];
  proto::http::write_date(text, std::time(nullptr));
  return {text, sizeof text};
}

TEST(Session, TheDateIsThatOfTheAnswer) {
  converse([](Conversation& c) -> Task<void> {
    for (int i = 0; i < 2; ++i) {
      // The coarse clock may lag by a tick: look at the middle of a second.
      const auto into = std::chrono::system_clock::now().time_since_epoch() % 1s;
      co_await c.sleep(into < 500ms ? 500ms - into : 1500ms - into);
      c.client.send(get("/now/x"));
      EXPECT_EQ(co_await c.client.answer(), tests::ok("x"));
      EXPECT_EQ(c.client.date(), date_now());
    }
  });
}

}  // namespace
}  // namespace ringpost::http
