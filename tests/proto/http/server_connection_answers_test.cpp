// What is written: the order of answers, the interim answer 100, what an answer to HEAD has, and
// `Connection` (RFC 9112, 9). What comes is tested in server_connection_test.cpp.
#include <algorithm>
#include <functional>
#include <numeric>

#include <gtest/gtest.h>

#include "tests/proto/http/driven_connection.h"
#include "tests/support/every_split.h"

namespace ringpost::proto::http {
namespace {

using tests::DrivenConnection;

const std::string get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const std::string waits =
    "PUT /w HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";

std::string ok(std::string_view body, std::string_view connection = "") {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(connection) + "\r\n" + std::string(body);
}
constexpr std::string_view close = "Connection: close\r\n";

// Whole answers, drafts (of more bytes, or fewer), or both.
TEST(Answers, AreWrittenInTheOrderOfTheirRequests) {
  for (size_t run = 0; run < 15; ++run) {
    const size_t count = 1 + run / 3, drafts = run % 3;
    std::vector<uint32_t> order(count);
    std::iota(order.begin(), order.end(), 0);
    do {
      SCOPED_TRACE(testing::PrintToString(order));
      DrivenConnection c;
      std::string requests, expected, written;
      for (size_t i = 0; i < count; ++i) {
        requests += i == 1 ? "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n" : get;
        expected += "HTTP/1.1 200 OK\r\nContent-Type: t/" + std::to_string(i) +
                    "\r\nContent-Length: 1\r\nX: " + std::to_string(i) + "\r\n\r\n" +
                    (i == 1 ? "" : std::to_string(i));
      }
      c.serve(requests);
      std::vector<bool> given(count);
      for (const uint32_t number : order) {
        // They are gone when the call returns.
        const std::string type = "t/" + std::to_string(number), body = std::to_string(number),
                          fields = "X: " + body + "\r\n";
        const Answer answer{Status::ok, type, body, fields};
        const bool draft = drafts == 1 || (drafts == 2 && number % 2 == 0);
        const std::string now =
            draft ? c.write(number, answer, number == 2 ? 1'000 : 0) : c.answer(number, answer);
        given[number] = true;
        written += now;
        const auto missing = std::ranges::find(given, false);
        EXPECT_EQ(c.connection.unanswered(), given.end() - missing);
        EXPECT_EQ(now.empty(), missing - given.begin() <= static_cast<std::ptrdiff_t>(number));
        EXPECT_EQ(c.connection.kept_bytes() != 0,
                  std::find(missing, given.end(), true) != given.end());
      }
      EXPECT_EQ(written, expected);
      EXPECT_EQ(c.stage(), "idle");
    } while (std::ranges::next_permutation(order).found);
  }
}

TEST(Answers, OfDraftsThatAreDroppedAreAnswered) {
  DrivenConnection c;
  c.serve(get + get + get);
  for (const uint32_t number : {0u, 2u, 1u}) {
    const auto draft = c.begin(number, {.fields = "X: y\r\n"}, 50);
    draft.out->append(std::string(5'000, 'x'));
    c.connection.drop_answer(draft);
    EXPECT_EQ(c.connection.kept_bytes() != 0, number == 1);
    EXPECT_EQ(c.answer(number, "a"), number == 2 ? "" : number == 1 ? ok("a") + ok("a") : ok("a"));
  }
  EXPECT_EQ(c.stage(), "idle");
}

// However many more are taken meanwhile, and wherever in the line the first of them stands.
TEST(Answers, AreKeptForAsManyAsThereAre) {
  DrivenConnection c;
  uint32_t first = 0;
  for (const uint32_t count : {1u, 2u, 3u, 5u, 40u, 7u, 100u}) {
    std::string expected = ok(std::to_string(first));
    size_t kept = 0;
    c.serve(get);
    for (uint32_t number = first + 1; number < first + count; ++number) {
      c.serve(get);
      EXPECT_EQ(c.answer(number, std::to_string(number)), "");
      EXPECT_GT(c.connection.kept_bytes(), kept);
      kept = c.connection.kept_bytes();
      expected += ok(std::to_string(number));
    }
    EXPECT_EQ(c.connection.unanswered(), count);
    EXPECT_EQ(c.answer(first, std::to_string(first)), expected);
    EXPECT_EQ(c.connection.unanswered(), 0u);
    EXPECT_EQ(c.connection.kept_bytes(), 0u);
    first += count;
  }
}

TEST(Answers, TakeTheMemoryOfThoseThatAreKept) {
  DrivenConnection c;
  c.serve(get + get + get);
  EXPECT_EQ(c.connection.kept_bytes(), 0u);
  c.answer(2, std::string(10'000, 'x'));
  const size_t one = c.connection.kept_bytes();
  EXPECT_GE(one, 10'000u);
  c.answer(1, "");
  EXPECT_GT(c.connection.kept_bytes(), one) << "one with no body takes some too";
  EXPECT_EQ(c.answer(0, "").size(), 3 * ok("").size() + 4 + 10'000);
  EXPECT_EQ(c.connection.kept_bytes(), 0u);
}

using Act = std::function<void(DrivenConnection&)>;
Act serve(std::string bytes) {
  return [bytes](DrivenConnection& c) { c.serve(bytes); };
}
Act come(std::string bytes) {
  return [bytes](DrivenConnection& c) { c.come(bytes); };
}
const Act take = [](DrivenConnection& c) { c.take(); };
const Act drain = [](DrivenConnection& c) { c.connection.drain(); };
const Act shut = [](DrivenConnection& c) { c.connection.close(); };
const Act expire = [](DrivenConnection& c) { c.connection.expire(); };

// What is done before the only, or the last, of the answers; and its Connection field.
struct Ending {
  const char* what;
  std::vector<Act> acts;
  std::string_view connection;
};

const std::string get_and_close = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
const std::string get_1_0 = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";

const Ending endings[] = {
    {"goes on", {serve(get)}, ""},
    {"asked for", {serve(get_and_close)}, close},
    {"asked for, others behind", {serve(get_and_close + get)}, close},
    {"asked for with a body",
     {serve("PUT / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx")},
     close},
    {"HTTP/1.0", {serve("GET / HTTP/1.0\r\n\r\n")}, close},
    {"HTTP/1.0 that goes on", {serve(get_1_0)}, "Connection: keep-alive\r\n"},
    {"HTTP/1.0 that would go on, closed", {serve(get_1_0), shut}, close},
    {"drained before it came", {drain, serve(get)}, close},
    {"drained while it came", {serve(get.substr(0, 20)), drain, serve(get.substr(20))}, close},
    {"drained when it was offered", {come(get), drain, take}, close},
    {"drained before it came, HTTP/1.0", {drain, serve(get_1_0)}, close},
    {"drained when it was taken", {serve(get), drain}, ""},
    {"drained when it was taken, then closed", {serve(get), drain, shut}, close},
    {"closed", {serve(get), shut}, close},
    {"closed amid a head behind", {serve(get + "GET"), shut}, close},
    {"closed amid a body behind that waits", {serve(get + waits), shut}, close},
    {"closed with an offer", {come(get + get), take, come(""), shut}, close},
    {"no request", {serve("GET\r\n" + get)}, close},
    {"a body that is none",
     {serve("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx")},
     close},
    {"late", {serve("GET"), expire, serve("")}, close},
    {"not permitted", {come(waits), take, serve("xyz" + get)}, close},
};

TEST(Answers, SayCloseOnTheLastWhoeverFoundOutWhen) {
  for (const Ending& ending : endings) {
    SCOPED_TRACE(ending.what);
    for (const bool early : {false, true})
      for (const int others : {0, 1, 3}) {
        DrivenConnection c;
        std::string expected, written;
        for (int i = 0; i < others; ++i) {
          c.come(get);
          c.take();
          expected += ok("other");
        }
        const auto number = static_cast<uint32_t>(others);
        for (const Act& act : ending.acts) act(c);
        EXPECT_EQ(c.connection.unanswered(), number + 1);
        if (early) written += c.answer(number, "last");
        for (uint32_t i = 0; i < number; ++i) written += c.answer(i, "other");
        if (!early) written += c.answer(number, "last");
        EXPECT_EQ(written, expected + ok("last", ending.connection));
        EXPECT_EQ(c.connection.closed(), ending.connection == close);
        EXPECT_EQ(c.connection.unanswered(), 0u);
      }
  }
}

TEST(Answers, SayCloseWhenItIsFoundOutWhileTheyAreKept) {
  DrivenConnection c;
  c.serve(get + get + get);
  EXPECT_EQ(c.answer(2, "2"), "");
  EXPECT_EQ(c.answer(0, "0"), ok("0"));
  c.connection.drain();
  c.connection.close();
  EXPECT_EQ(c.answer(1, "1"), ok("1") + ok("2", close));
}

// Whatever it is answered (RFC 9110, 9.3.2): its client would take the content for the next answer.
TEST(Answers, ToHeadHaveNoContent) {
  const struct {
    std::string request;
    bool late = false;
  } rows[] = {
      {"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"},
      {"HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n"},
      {"HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n"},
      {"HEAD / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n"},
      {"HEAD / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx"},
      {"HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n", true},
      {"HEAD / HTTP/1.1\r\n\r\n"},
      {"HEAD / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n"},
      {"HEAD / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n"},
      {"HEAD /" + std::string(8192, 'x') + " HTTP/1.1\r\n"},
      {"HEAD / HTTP/2.0\r\n"},
      {"\r\nHEAD / HTTP/1.1\r\nHost h\r\n"},
      {"HEAD / HTTP/1.1\r\nHost", true},
      {"\r\n\r\nHEAD ", true},
  };
  for (const auto& [request, late] : rows)
    for (const bool early : {false, true})
      for (const tests::Pieces& pieces : {tests::Pieces{request}, tests::pieces_of(request, 3)}) {
        SCOPED_TRACE(request.substr(0, 80));
        DrivenConnection c;
        c.serve(get);
        if (!early) c.answer(0, "");
        for (const std::string_view piece : pieces) c.serve(piece);
        if (late) {
          c.connection.expire();
          c.serve("");
        }
        if (c.connection.stage() != DrivenConnection::Stage::answers && !c.connection.closed())
          c.serve("x");  // permitted
        std::string written = c.answer(1, "content");
        if (early) {
          EXPECT_EQ(written, "");
          written = c.answer(0, "").substr(ok("").size());
        }
        EXPECT_EQ(written, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n" +
                               std::string(c.connection.closed() ? close : "") + "\r\n");
      }
}

TEST(Answers, OfRefusalsHaveContentWhereItWasNoHead) {
  for (const std::string& request :
       {std::string("GET\r\n"), std::string("HEADS / HTTP/1.1\r\n\r\n"),
        std::string("head / HTTP/1.1\r\n\r\n"), std::string("HEAD\r\n")}) {
    DrivenConnection c;
    EXPECT_EQ(c.serve(request), "400");
    EXPECT_EQ(c.answer(0, "why"), ok("why", close));
  }
}

TEST(Interim, IsWrittenAtOnceWhereNothingIsDueBefore) {
  DrivenConnection c;
  EXPECT_EQ(c.come(waits), "PUT /w waits");
  EXPECT_EQ(c.accept_body(), go_on);
  EXPECT_EQ(c.consumed, waits.size());
  EXPECT_EQ(c.come(), "more");
  EXPECT_EQ(c.come("xyz" + waits), "PUT /w");
  c.take();
  EXPECT_EQ(c.answer(0, "done"), ok("done"));
  EXPECT_EQ(c.come(), "PUT /w waits") << "and to the next as well";
  EXPECT_EQ(c.accept_body(), go_on);
}

TEST(Interim, WaitsForTheAnswersBefore) {
  for (const bool backwards : {false, true}) {
    DrivenConnection c;
    c.serve(get + get + waits);
    EXPECT_EQ(c.interim, "");
    EXPECT_EQ(c.answer(backwards ? 1 : 0, "a"), backwards ? "" : ok("a"));
    EXPECT_EQ(c.stage(), backwards ? "permission+2" : "permission+1");
    EXPECT_EQ(c.answer(backwards ? 0 : 1, "b"),
              (backwards ? ok("b") + ok("a") : ok("b")) + std::string(go_on));
    EXPECT_EQ(c.serve("xyz"), "PUT /w");
    EXPECT_EQ(c.answer(2, "c"), ok("c"));
  }
}

// How the bytes were cut decides whether it is due, and nothing else.
TEST(Interim, StandsInItsPlaceAtEverySplit) {
  const std::string first = get + waits, sent = first + "xyz" + get;
  tests::every_split(sent, [&](const tests::Pieces& pieces) {
    DrivenConnection c;
    std::string said, written;
    uint32_t answered = 0;
    for (const std::string_view piece : pieces) {
      said += c.serve(piece) + ";";
      written += c.interim;
      c.interim.clear();
      while (c.connection.unanswered() != 0) {
        written += c.answer(answered, std::to_string(answered));
        ++answered;
      }
    }
    const bool waited = said.contains("waits");
    EXPECT_EQ(written, ok("0") + std::string(waited ? go_on : "") + ok("1") + ok("2"))
        << tests::lengths(pieces);
    if (pieces.size() == 2) {
      EXPECT_EQ(waited, pieces[0].size() == first.size());
    }
    EXPECT_EQ(c.stage(), "idle");
  });
}

TEST(Interim, IsNotWrittenOnceTheBodyHasBegunOrWillNotBeTaken) {
  const Ending rows[] = {
      {"came with the head", {serve(waits + "x")}, ""},
      {"came later", {serve(waits), serve("x")}, ""},
      {"came in full", {serve(waits), serve("xyz")}, ""},
      {"closed", {serve(waits), shut}, close},
      {"too large",
       {serve("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")},
       ""},
      {"not permitted", {come(waits), take, serve("xyz")}, ""},
      {"HTTP/1.0",
       {serve("PUT / HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")},
       ""},
      {"no body",
       {serve("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n")},
       ""},
  };
  for (const Ending& row : rows) {
    SCOPED_TRACE(row.what);
    DrivenConnection c;
    c.serve(get);
    for (const Act& act : row.acts) act(c);
    EXPECT_EQ(c.interim, "");
    EXPECT_EQ(c.answer(0, "a"), ok("a", row.connection));
  }
}

}  // namespace
}  // namespace ringpost::proto::http
