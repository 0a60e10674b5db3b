// What comes: requests, bodies, refusals, and where each of them ends. What is answered is tested
// in server_connection_answers_test.cpp.
#include "proto/http/server_connection.h"

#include <functional>
#include <vector>

#include <gtest/gtest.h>

#include "tests/proto/http/driven_connection.h"
#include "tests/support/every_split.h"

namespace ringpost::proto::http {
namespace {

using tests::DrivenConnection;

const std::string get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
const std::string half = "GET /a HTTP/1.1\r\nHo";
const std::string half_left = "st: h\r\n\r\n";
const std::string put = "PUT /p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n";
const std::string chunks = "PUT /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
const std::string waits =
    "PUT /w HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";

using Act = std::function<std::string(DrivenConnection&)>;
Act comes(std::string bytes) {
  return [bytes](DrivenConnection& c) { return c.come(bytes); };
}
Act comes_and_is_taken(std::string bytes) {
  return [bytes](DrivenConnection& c) {
    std::string said = c.come(bytes);
    c.take();
    return said;
  };
}
const Act accept = [](DrivenConnection& c) { return c.accept_body(); };
const Act take = [](DrivenConnection& c) { return std::to_string(c.take()); };
const Act expire = [](DrivenConnection& c) { return c.connection.expire(), c.come(); };
const Act close = [](DrivenConnection& c) { return c.connection.close(), c.come(); };
const Act drain = [](DrivenConnection& c) { return c.connection.drain(), "drains"; };

struct Step {
  Act act;
  std::string_view said, stage;
};

struct Row {
  const char* what;
  std::vector<Step> steps;
};

const Step in_head{comes(half), "more", "head"};
const Step in_body{comes(put), "more", "body"};
const Step in_chunks{comes(chunks), "more", "body"};
const Step waiting{comes(waits), "PUT /w waits", "idle"};
constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
const Step permitted{accept, go_on, "body"};
const Step over{comes(get), "closed", "closed+1"};

TEST(ServerConnection, WalksThroughItsStages) {
  const Row rows[] = {
      {"idle: empty lines", {{comes("\r\n"), "more", "idle"}, {comes("\r\n\r"), "more", "idle"}}},
      {"idle: half a head", {in_head}},
      {"idle: a head", {{comes(get), "GET /a", "idle"}, {take, "0", "answers+1"}}},
      {"idle: a head with a body", {in_body}},
      {"idle: all of both", {{comes(put + "xyz"), "PUT /p", "idle"}, {take, "0", "answers+1"}}},
      {"idle: a client that waits", {waiting, permitted}},
      {"idle: no head", {{comes("GET\r\n"), "400", "idle"}, {take, "0", "closed+1"}, over}},
      {"head: more of it", {in_head, {comes("st"), "more", "head"}}},
      {"head: the rest", {in_head, {comes(half_left), "GET /a", "idle"}, {take, "0", "answers+1"}}},
      {"head: the rest, with a body behind",
       {in_head, {comes("st: h\r\nContent-Length: 3\r\n\r\nx"), "more", "body"}}},
      {"head: the rest, and the client waits",
       {in_head,
        {comes("st: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"), "GET /a waits",
         "idle"},
        permitted}},
      {"head: what is none", {in_head, {comes("st\r\n"), "400", "idle"}, {take, "0", "closed+1"}}},
      {"body: the rest", {in_body, {comes("xyz"), "PUT /p", "idle"}, {take, "0", "answers+1"}}},
      {"body: what is none",
       {in_chunks, {comes("x"), "400", "idle"}, {take, "0", "closed+1"}, over}},
      {"body: too much", {in_chunks, {comes("9\r\n"), "413", "idle"}, {take, "0", "closed+1"}}},
      {"permission: the body, told to go on",
       {waiting, permitted, {comes("x"), "more", "body"}, {comes("yz"), "PUT /w", "idle"}}},
      {"permission: nothing", {waiting, permitted, {comes(""), "more", "body"}}},
      {"head: late", {in_head, {expire, "408", "idle"}, {take, "0", "closed+1"}, over}},
      {"body: late", {in_body, {expire, "408", "idle"}, {take, "0", "closed+1"}, over}},
      {"idle: close", {{close, "closed", "closed"}, {comes(get), "closed", "closed"}}},
      {"head: close", {in_head, {close, "closed", "closed"}}},
      {"body: close", {in_body, {close, "closed", "closed"}}},
      {"permission: close", {waiting, permitted, {close, "closed", "closed"}}},
      {"an offer: close", {{comes(get), "GET /a", "idle"}, {close, "closed", "closed"}}},
      {"a refusal: close", {{comes("GET\r\n"), "400", "idle"}, {close, "closed", "closed"}}},
      {"accept_body, with an answer due before",
       {{comes_and_is_taken(get), "GET /a", "answers+1"},
        {comes(waits), "PUT /w waits", "answers+1"},
        {accept, "", "permission+1"},
        {comes("xyz"), "PUT /w", "answers+1"},
        {take, "1", "answers+2"}}},
      {"take, instead of permission", {waiting, {take, "0", "closed+1"}, over}},
      {"take, of the last",
       {{comes("GET /a HTTP/1.0\r\n\r\n"), "GET /a", "idle"}, {take, "0", "closed+1"}, over}},
      {"take, of the last with a body",
       {{comes("PUT /p HTTP/1.0\r\nContent-Length: 3\r\n\r\nxyz"), "PUT /p", "idle"},
        {take, "0", "closed+1"}}},
      {"draining: one that is followed by another",
       {{drain, "drains", "idle"},
        {comes(get + get), "GET /a", "idle"},
        {take, "0", "answers+1"},
        {comes(""), "GET /a", "answers+1"},
        {take, "1", "closed+2"}}},
      {"draining: a body's end is the input's",
       {in_body,
        {drain, "drains", "body"},
        {comes("xyz"), "PUT /p", "idle"},
        {take, "0", "closed+1"}}},
      {"draining: half a head behind",
       {{drain, "drains", "idle"},
        {comes(get + half), "GET /a", "idle"},
        {take, "0", "answers+1"},
        {comes(""), "more", "head+1"}}},
  };
  for (const Row& row : rows) {
    DrivenConnection c;
    int at = 0;
    for (const Step& step : row.steps) {
      SCOPED_TRACE(testing::Message() << row.what << ", step " << at++);
      EXPECT_EQ(step.act(c), step.said);
      EXPECT_EQ(c.stage(), step.stage);
    }
  }
}

TEST(ServerConnection, TakesBodiesUpToItsLimit) {
  const struct {
    std::string bytes;
    std::string_view said;
  } rows[] = {
      {"PUT /p HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\n12345678", "PUT /p"},
      {"PUT /p HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n", "413"},
      {"PUT /p HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551615\r\n\r\n", "413"},
      {"PUT /p HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n", "413"},
      {"PUT /p HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\nExpect: 100-continue\r\n\r\n",
       "PUT /p waits"},
      {"PUT /p HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", "PUT /p"},
      {"PUT /p HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n", "PUT /p"},
      {chunks + "8\r\n12345678\r\n0\r\n\r\n", "PUT /c"},
      {chunks + "5\r\n12345\r\n3\r\n678\r\n0\r\n\r\n", "PUT /c"},
      {chunks + "5\r\n12345\r\n4\r\n", "413"},
      {chunks + "9\r\n", "413"},
      {chunks + "0\r\n\r\n", "PUT /c"},
  };
  for (const auto& row : rows) {
    DrivenConnection c;
    EXPECT_EQ(c.come(row.bytes), row.said) << row.bytes;
  }
}

// Wherever the bytes lie by then, and whatever has come behind them.
TEST(ServerConnection, AnOfferStandsUntilItIsTaken) {
  const struct {
    const char* what;
    std::string before, bytes;
    std::string_view said;
    bool last;
  } rows[] = {
      {"a head", "", get, "GET /a", false},
      {"a head behind empty lines", "\r\n", get, "GET /a", false},
      {"a head that came in pieces", half, half_left, "GET /a", false},
      {"a body", "", put + "xyz", "PUT /p", false},
      {"a body that came in pieces", put + "x", "yz", "PUT /p", false},
      {"a body in chunks", chunks + "1\r", "\nx\r\n0\r\n\r\n", "PUT /c", false},
      {"a waiting client's body", waits, "xyz", "PUT /w", false},
      {"a refusal", "", "GET\r\n", "400", true},
      {"a refusal of half a head", half, "\r\n", "400", true},
      {"a refusal of a body", chunks, "x", "400", true},
      {"a refusal of a body's length", "", "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n",
       "413", true},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.what);
    DrivenConnection c;
    c.come(row.before);
    for (int again = 0; again < 3; ++again)
      EXPECT_EQ(c.come(again == 0 ? row.bytes : ""), row.said);
    EXPECT_EQ(c.come("GET /b HTTP/1.1\r\nHost: h\r\n\r\n"), row.said);
    EXPECT_EQ(c.connection.unanswered(), 0u);
    EXPECT_FALSE(c.connection.used());
    EXPECT_EQ(c.take(), 0u);
    EXPECT_TRUE(c.connection.used());
    if (!row.last) {
      EXPECT_EQ(c.consumed, row.before.size() + row.bytes.size());
    }
    EXPECT_EQ(c.come(), row.last ? "closed" : "GET /b");
    EXPECT_EQ(c.unread.empty(), row.last);
  }
}

TEST(ServerConnection, AnOfferForPermissionStandsUntilTheBodyComes) {
  for (const bool in_pieces : {false, true}) {
    DrivenConnection c;
    if (in_pieces) {
      EXPECT_EQ(c.come(waits.substr(0, 20)), "more");
    }
    EXPECT_EQ(c.come(in_pieces ? waits.substr(20) : waits), "PUT /w waits");
    EXPECT_EQ(c.come(), "PUT /w waits");
    EXPECT_EQ(c.consumed, 0u);
    EXPECT_EQ(c.come("x"), "more");
    EXPECT_EQ(c.stage(), "body");
    EXPECT_EQ(c.consumed, waits.size() + 1);
    EXPECT_EQ(c.come("yz" + get), "PUT /w");
    EXPECT_EQ(c.consumed, waits.size() + 3);
  }
}

TEST(ServerConnection, WhatWasOfferedIsReadUntilTheNextCall) {
  for (const bool closes : {false, true})
    for (const auto& [before, bytes, asked] :
         {std::tuple{std::string(), get, "GET /a"}, std::tuple{half, half_left, "GET /a"},
          std::tuple{put, std::string("xyz"), "PUT /p"}}) {
      DrivenConnection c;
      c.come(before);
      EXPECT_EQ(c.come(bytes), asked);
      c.take();
      if (closes) c.connection.close();
      EXPECT_EQ(c.asked(), asked) << closes;
      EXPECT_EQ(c.connection.request().find("host"), "h");
    }
}

// All that does not depend on when it comes: there is no client that waits.
const std::vector<std::string> requests = {
    "\r\n\r\n" + get,
    put + "GET",
    chunks + "3;x=\"y\"\r\n\r\n0\r\n5\r\nGET /\r\n0\r\nT: u\r\n\r\n",
    "HEAD /h HTTP/1.1\r\nHost: h\r\n\r\n",
    "\r\nPUT /0 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n",
    "GET /1.0 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "HEAD /b HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx",
    "DELETE /d HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"};
constexpr std::string_view heard =
    "GET /a, PUT /p, PUT /c, HEAD /h, PUT /0, GET /1.0, HEAD /b, DELETE /d";

std::string all_of(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) all += part;
  return all;
}

// Serves what comes and answers it backwards, piece by piece.
struct Peer {
  explicit Peer(DrivenConnection& connection) : c(connection) {}

  void hear(std::string_view piece) {
    const std::string said = c.serve(piece);
    if (!said.empty()) log += (log.empty() ? "" : ", ") + said;
    const uint32_t first = answered;
    answered += c.connection.unanswered();
    for (uint32_t number = answered; number > first; --number)
      written += c.answer(number - 1, "#" + std::to_string(number - 1));
  }

  DrivenConnection& c;
  std::string log, written;
  uint32_t answered = 0;
};

constexpr std::string_view answers =
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n#0"
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n#1"
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n#2"
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n#4"
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n#5"
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n#7";

TEST(ServerConnection, SaysAndWritesTheSameAtEverySplit) {
  std::vector<size_t> ends;
  for (const std::string& request : requests)
    ends.push_back(request.size() + (ends.empty() ? 0 : ends.back()));
  tests::every_split(all_of(requests) + "GET /smuggled", [&](const tests::Pieces& pieces) {
    DrivenConnection c;
    Peer peer(c);
    for (const std::string_view piece : pieces) peer.hear(piece);
    EXPECT_EQ(peer.log, heard) << tests::lengths(pieces);
    EXPECT_EQ(peer.written, answers) << tests::lengths(pieces);
    EXPECT_EQ(c.ends, ends) << tests::lengths(pieces);
    EXPECT_EQ(c.stage(), "closed");
    EXPECT_EQ(c.unread, "");
    EXPECT_EQ(c.connection.kept_bytes(), 0u);
  });
}

// One comes byte by byte; the other, whose bytes are the same, any number of them behind it.
TEST(ServerConnection, TwoThatShareAParserDoNotHearOfEachOther) {
  const std::string all = all_of(requests);
  for (size_t behind = 0; behind <= all.size(); ++behind) {
    RequestParser shared;
    DrivenConnection one(shared), other(shared);
    Peer first(one), second(other);
    for (size_t at = 0; at < all.size() + behind; ++at) {
      if (at < all.size()) first.hear(std::string_view(all).substr(at, 1));
      if (at >= behind) second.hear(std::string_view(all).substr(at - behind, 1));
    }
    ASSERT_EQ(first.log, heard) << behind;
    ASSERT_EQ(second.log, heard) << behind;
    ASSERT_EQ(first.written, answers) << behind;
    ASSERT_EQ(second.written, answers) << behind;
  }
}

TEST(ServerConnection, AnOfferOutlivesTheParsersOtherUses) {
  for (const std::string& between : {get, half, waits, put, put + "xyz", std::string("GET\r\n")}) {
    RequestParser shared;
    DrivenConnection one(shared), other(shared);
    EXPECT_EQ(one.come("HEAD /1 HTTP/1.0\r\n\r\n"), "HEAD /1");
    other.come(between);
    EXPECT_EQ(one.come(), "HEAD /1");
    one.take();
    other.come();
    EXPECT_EQ(one.answer(0, "body"),
              "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(one.unread, "");
  }
}

// A trailer is no header field (RFC 9110, 6.5.1; RFC 9112, 7.1.2): what would decide something in a
// head decides nothing behind a body.
TEST(ServerConnection, TrailersChangeNothing) {
  DrivenConnection c;
  EXPECT_EQ(
      c.serve("PUT /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
              "Host: i\r\nConnection: close\r\nContent-Length: 99\r\n"
              "Transfer-Encoding: gzip\r\nExpect: tea\r\n\r\n" +
              get),
      "PUT /c, GET /a");
  EXPECT_EQ(c.stage(), "answers+2");
}

TEST(ServerConnection, RefusesAFloodOfEmptyLines) {
  DrivenConnection c;
  EXPECT_EQ(c.come("\r\n\r\n\r\n\r\n"), "more");
  EXPECT_EQ(c.stage(), "idle");
  EXPECT_EQ(c.come("\r\n"), "400");
}

}  // namespace
}  // namespace ringpost::proto::http
