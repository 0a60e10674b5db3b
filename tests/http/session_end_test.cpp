// Where a session waits, and how it ends there: its peer goes, its peer ends what it sends, its
// program drains it or gives it up.
#include <gtest/gtest.h>

#include "tests/http/conversation.h"

namespace ringpost::http {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using io::Task;
using tests::Conversation;
using tests::converse;
using tests::get;
using tests::ok;

constexpr std::string_view closed = "|receive: closed by the peer";
constexpr std::string_view post = "POST /now/x HTTP/1.1\r\nHost: a\r\n";

struct Gone {
  const char* when;
  std::string sent;
};

std::vector<Gone> ways_to_go() {
  return {
      {"before a request", ""},
      {"behind empty lines", "\r\n"},
      {"half a head", "GET /now/x HTTP/1.1\r\nHo"},
      {"half a body", std::string(post) + "Content-Length: 10\r\n\r\nxxx"},
      {"before 100 is answered",
       get("/never") + std::string(post) + "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n"},
      {"during the work", get("/never")},
      {"during the work on several", get("/never") + get("/after/1/x") + get("/never")},
      {"during a large answer", get("/large/10000000")},
      {"while others wait for a large answer", get("/large/10000000") + get("/never")},
  };
}

// A reset: nobody is there to be answered, so the work is given up too.
TEST(PeerGone, TheSessionEndsAtOnce) {
  for (const Gone& gone : ways_to_go()) {
    SCOPED_TRACE(gone.when);
    converse(
        tests::patient(),
        [&](Conversation& c) -> Task<void> {
          co_await c.client.send_now(gone.sent);
          co_await c.sleep(5ms);
          EXPECT_FALSE(c.ended());
          const linger reset{.l_onoff = 1, .l_linger = 0};
          setsockopt(c.client.fd(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
          co_await c.client.close();
          EXPECT_LT(co_await c.ends(), 300);
        },
        tests::tcp_pair());
  }
}

// The end of what the peer sends: it may well read on.
TEST(PeerEnds, AndIsStillAnswered) {
  converse(
      tests::patient(),
      [](Conversation& c) -> Task<void> {
        c.client.send(get("/after/30/1") + get("/now/2"));
        co_await c.sleep(5ms);
        c.client.end();
        EXPECT_EQ(co_await c.client.answer(), ok("1"));
        const std::string second = co_await c.client.answer();
        EXPECT_TRUE(second == ok("2") || second == ok("2", "Connection: close\r\n")) << second;
        EXPECT_EQ(co_await c.client.rest(), closed);
        EXPECT_LT(co_await c.ends(), 300);
      },
      tests::tcp_pair());
}

TEST(PeerEnds, AndGetsALargeAnswerWhole) {
  converse(
      tests::patient(),
      [](Conversation& c) -> Task<void> {
        co_await c.client.send_now(get("/large/5000000"));
        c.client.end();
        EXPECT_TRUE(co_await c.client.answer() == ok(std::string(5'000'000, 'x')));
        EXPECT_EQ(co_await c.client.rest(), closed);
      },
      tests::tcp_pair());
}

TEST(PeerEnds, WithHalfARequestAndGetsNothing) {
  for (const std::string& half :
       {std::string("GET / HTTP/1.1\r\n"), std::string(post) + "Content-Length: 10\r\n\r\nxxx"}) {
    converse(tests::patient(), [&](Conversation& c) -> Task<void> {
      co_await c.client.send_now(half);
      c.client.end();
      EXPECT_EQ(co_await c.client.rest(), closed);
      EXPECT_LT(co_await c.ends(), 300);
    });
  }
}

TEST(Drain, AnIdleConnectionIsClosedAfterTheGrace) {
  Limits limits = tests::patient();
  limits.drain_grace = 40ms;
  converse(limits, [](Conversation& c) -> Task<void> {
    c.client.send(get("/now/x"));
    EXPECT_EQ(co_await c.client.answer(), ok("x"));
    const io::Time begin = c.reactor.now();
    c.session.drain();
    EXPECT_EQ(co_await c.client.rest(), closed);
    EXPECT_GE(c.reactor.now() - begin, 39ms);
    EXPECT_LT(c.reactor.now() - begin, 300ms);
  });
}

TEST(Drain, WhatIsInFlightIsAnsweredAndTheAnswerSaysTheEnd) {
  converse(tests::patient(), [](Conversation& c) -> Task<void> {
    co_await c.client.send_now(get("/after/40/1") + get("/after/60/2"));
    c.session.drain();
    EXPECT_EQ(co_await c.client.answer(), ok("1"));
    EXPECT_EQ(co_await c.client.answer(), ok("2", "Connection: close\r\n"));
    EXPECT_EQ(co_await c.client.rest(), closed);
  });
}

// Which answer is the last is known when it is sent, not when it is ready.
TEST(Drain, AnAnswerThatWaitedForAnEarlierOneSaysTheEndToo) {
  for (const std::string& second :
       {get("/now/2"), "GET /now/2 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"s}) {
    converse(tests::patient(), [&](Conversation& c) -> Task<void> {
      co_await c.client.send_now(get("/after/30/1") + get("/now/0") + second);
      EXPECT_EQ(c.handler.handled, "/after/30/1 /now/0 /now/2");
      c.session.drain();
      EXPECT_EQ(co_await c.client.answer(), ok("1"));
      EXPECT_EQ(co_await c.client.answer(), ok("0"));
      EXPECT_EQ(co_await c.client.answer(), ok("2", "Connection: close\r\n"));
      EXPECT_EQ(co_await c.client.rest(), closed);
    });
  }
}

TEST(Drain, AHeldAnswerKeepsItsFieldsAndAHeadStaysAHead) {
  converse(tests::patient(), [](Conversation& c) -> Task<void> {
    co_await c.client.send_now(get("/after/20/1") + "HEAD /now/long HTTP/1.1\r\nHost: a\r\n\r\n" +
                               get("/nowhere"));
    c.session.drain();
    EXPECT_EQ(co_await c.client.answer(), ok("1"));
    EXPECT_EQ(co_await c.client.answer(true),
              "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\n");
    EXPECT_EQ(co_await c.client.answer(),
              "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n"
              "X-Why: no such path\r\n\r\n");
    EXPECT_EQ(co_await c.client.rest(), closed);
  });
}

TEST(Drain, ARequestWithinTheGraceIsAnsweredAndTheAnswerSaysTheEnd) {
  Limits limits = tests::patient();
  limits.drain_grace = 500ms;
  for (const std::string& requests :
       {get("/now/2"), get("/after/5/2"), get("/now/1") + get("/now/2"),
        get("/now/1") + get("/after/5/2"),
        "POST /now/2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxy"s}) {
    SCOPED_TRACE(requests);
    converse(limits, [&](Conversation& c) -> Task<void> {
      c.session.drain();
      co_await c.sleep(10ms);
      c.client.send(requests);
      if (requests.find("/now/1") != std::string::npos) {
        EXPECT_EQ(co_await c.client.answer(), ok("1"));
      }
      EXPECT_EQ(co_await c.client.answer(), ok("2", "Connection: close\r\n"));
      EXPECT_EQ(co_await c.client.rest(), closed);
    });
  }
}

std::vector<std::string> requests_to_halve() {
  return {get("/now/x"), std::string(post) + "Content-Length: 9\r\n\r\n123456789",
          std::string(post) + "Transfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n0\r\n\r\n"};
}

// Else as many as were pipelined could hold up the end, each for the time of a request.
TEST(Drain, WhatWaitsForItsTurnAfterTheGraceIsNotTaken) {
  Limits limits = tests::patient();
  limits.pipelined = 1;
  limits.drain_grace = 10ms;
  converse(limits, [](Conversation& c) -> Task<void> {
    co_await c.client.send_now(get("/after/30/1") + get("/after/30/2") + get("/after/30/3"));
    c.session.drain();
    EXPECT_EQ(co_await c.client.answer(), ok("1"));
    EXPECT_EQ(co_await c.client.answer(), ok("2", "Connection: close\r\n"));
    EXPECT_EQ(co_await c.client.rest(), closed);
    EXPECT_EQ(c.handler.handled, "/after/30/1 /after/30/2");
  });
}

TEST(Drain, AHalfRequestMayComeToItsEndWithinTheGrace) {
  Limits limits = tests::patient();
  limits.drain_grace = 500ms;
  for (const std::string& request : requests_to_halve())
    converse(limits, [&](Conversation& c) -> Task<void> {
      co_await c.client.send_now(request.substr(0, request.size() - 5));
      c.session.drain();
      co_await c.sleep(20ms);
      c.client.send(request.substr(request.size() - 5));
      EXPECT_EQ(co_await c.client.answer(), ok("x", "Connection: close\r\n"));
      EXPECT_EQ(co_await c.client.rest(), closed);
    });
}

// Else one client that stalls keeps a server from ending.
TEST(Drain, AHalfRequestIsClosedInSilenceAfterTheGrace) {
  Limits limits = tests::patient();
  limits.drain_grace = 40ms;
  for (const std::string& request : requests_to_halve())
    converse(limits, [&](Conversation& c) -> Task<void> {
      co_await c.client.send_now(request.substr(0, request.size() - 5));
      const io::Time begin = c.reactor.now();
      c.session.drain();
      co_await c.sleep(10ms);
      c.client.send(request.substr(request.size() - 5, 1));  // gains no time
      EXPECT_EQ(co_await c.client.rest(), closed);
      EXPECT_GE(c.reactor.now() - begin, 39ms);
      EXPECT_LT(c.reactor.now() - begin, 500ms);
      EXPECT_EQ(c.handler.handled, "");
    });
}

// Whoever is told to go on with it is not left alone the next moment.
TEST(Drain, ABodyThatIsAskedForHasTheGraceToCome) {
  Limits limits = tests::patient();
  limits.drain_grace = 300ms;
  converse(limits, [](Conversation& c) -> Task<void> {
    c.session.drain();
    co_await c.sleep(200ms);
    c.client.send(
        "PUT /now/done HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_EQ(co_await c.client.answer(), "HTTP/1.1 100 Continue\r\n\r\n");
    co_await c.sleep(200ms);
    c.client.send("xy");
    EXPECT_EQ(co_await c.client.answer(), ok("done", "Connection: close\r\n"));
    EXPECT_EQ(co_await c.client.rest(), closed);
  });
}

// What it was told last it is to read; and no longer than silence takes.
TEST(Drain, LeavesALingeringSessionItsTime) {
  Limits limits = tests::patient();
  limits.linger_timeout = 200ms;
  converse(
      limits,
      [](Conversation& c) -> Task<void> {
        co_await c.client.send_now("nonsense\r\n\r\n");
        co_await c.sleep(20ms);
        c.session.drain();
        co_await c.sleep(20ms);
        EXPECT_FALSE(c.ended());
        for (int i = 0; i < 100 && !c.ended(); ++i) {
          co_await c.client.send_now("x");
          co_await c.sleep(10ms);
        }
        EXPECT_TRUE(c.ended()) << "however long it goes on sending";
      },
      tests::tcp_pair());
}

// Given up by whoever owns it: wherever it waits, it ends without waiting for the peer.
TEST(Cancel, EndsTheSessionWhereverItWaits) {
  for (const Gone& at : ways_to_go()) {
    SCOPED_TRACE(at.when);
    converse(
        tests::patient(),
        [&](Conversation& c) -> Task<void> {
          co_await c.client.send_now(at.sent);
          co_await c.sleep(5ms);
          EXPECT_FALSE(c.ended());
          c.scope.cancel();
          EXPECT_LT(co_await c.ends(), 300) << "no lingering";
        },
        tests::tcp_pair());
  }
}

TEST(Cancel, EndsALingeringSession) {
  Limits limits = tests::patient();
  limits.linger_timeout = 10s;
  converse(limits, [](Conversation& c) -> Task<void> {
    co_await c.client.send_now("nonsense\r\n\r\n");
    co_await c.sleep(5ms);
    EXPECT_FALSE(c.ended());
    c.scope.cancel();
    EXPECT_LT(co_await c.ends(), 300);
  });
}

}  // namespace
}  // namespace ringpost::http
