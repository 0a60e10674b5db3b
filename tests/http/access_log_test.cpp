#include "src/http/access_log.h"

#include <gtest/gtest.h>

#include "tests/http/conversation.h"

namespace ringpost::http {
namespace {

using io::Task;
using tests::Conversation;
using tests::get;
using tests::ok;

class Noted final : public AccessLog {
 public:
  using AccessLog::AccessLog;
  void write(const Access& access) override {
    EXPECT_GE(access.took, io::Duration::zero());
    text.append(text.empty() ? "" : " | ")
        .append(access.method)
        .append(" ")
        .append(access.path)
        .append(" ")
        .append(std::to_string(static_cast<unsigned>(access.status)))
        .append(" ")
        .append(std::to_string(access.bytes))
        .append(" ")
        .append(access.peer)
        .append(" ")
        .append(access.request_id)
        .append("/")
        .append(access.trace_id);
  }
  std::string text;
};

void converse(Noted& log, const tests::Talk& talk,
              std::pair<int, int> ends = tests::socket_pair()) {
  tests::converse(tests::patient(), talk, ends, &log);
}

constexpr std::string_view trace = "0af7651916cd43dd8448eb211c80319c";

TEST(AccessLog, HasEachRequestAndItsAnswer) {
  Noted log(1);
  converse(log, [](Conversation& c) -> Task<void> {
    c.client.send(
        "GET /now/hello?token=x HTTP/1.1\r\nHost: a\r\nX-Request-Id: abc-1\r\n"
        "traceparent: 00-" +
        std::string(trace) + "-b7ad6b7169203331-01\r\n\r\n");
    co_await c.client.answer();
    c.client.send("HEAD /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
    co_await c.client.answer(true);
  });
  EXPECT_EQ(log.text, "GET /now/hello 200 13 unix abc-1/" + std::string(trace) +
                          " | HEAD /nothing 404 0 unix /");
}

TEST(AccessLog, KnowsThePeer) {
  Noted log(1);
  converse(
      log,
      [](Conversation& c) -> Task<void> {
        c.client.send(get("/now/1"));
        EXPECT_EQ(co_await c.client.answer(), ok("1"));
      },
      tests::tcp_pair());
  EXPECT_EQ(log.text, "GET /now/1 200 1 127.0.0.1 /");
}

TEST(AccessLog, OfWhatIsNoRequestItHasTheAnswer) {
  Noted log(1);
  converse(log, [](Conversation& c) -> Task<void> {
    c.client.send("nonsense\r\n\r\n");
    co_await c.client.rest();
  });
  EXPECT_TRUE(log.text.starts_with("- - 400 ")) << log.text;
}

TEST(AccessLog, HasOneInSoManyAndEachError) {
  Noted log(3);
  converse(log, [](Conversation& c) -> Task<void> {
    for (int i = 0; i < 7; ++i) {
      c.client.send(get("/now/" + std::to_string(i)));
      co_await c.client.answer();
    }
    c.client.send(get("/drop"));
    co_await c.client.answer();
  });
  EXPECT_EQ(log.text,
            "GET /now/0 200 1 unix / | GET /now/3 200 1 unix / | GET /now/6 200 1 unix / | "
            "GET /drop 500 20 unix /");
}

TEST(AccessLog, TellsPipelinedRequestsApart) {
  Noted log(1);
  converse(log, [](Conversation& c) -> Task<void> {
    c.client.send(get("/after/20/slow") + get("/now/quick") + get("/after/5/x"));
    for (int i = 0; i < 3; ++i) co_await c.client.answer();
  });
  EXPECT_EQ(log.text,
            "GET /now/quick 200 5 unix / | GET /after/5/x 200 1 unix / | "
            "GET /after/20/slow 200 4 unix /");
}

TEST(AccessLog, PathsHaveABound) {
  Noted log(1);
  converse(log, [](Conversation& c) -> Task<void> {
    c.client.send(get("/" + std::string(AccessLog::most_path_bytes, 'x')));
    co_await c.client.answer();
    c.client.send(get("/" + std::string(AccessLog::most_path_bytes - 1, 'y')));
    co_await c.client.answer();
  });
  EXPECT_EQ(log.text, "GET /" + std::string(AccessLog::most_path_bytes - 1, 'x') +
                          "... 404 0 unix / | GET /" +
                          std::string(AccessLog::most_path_bytes - 1, 'y') + " 404 0 unix /");
}

TEST(AccessLog, AnIdIsAToken) {
  for (const char* good : {"a", "0af7-65", "A.b_c:d+e/f=g@h"}) EXPECT_TRUE(is_request_id(good));
  EXPECT_TRUE(is_request_id(std::string(128, 'a')));
  EXPECT_FALSE(is_request_id(std::string(129, 'a')));
  for (const char* bad : {"", "a b", "a\tb", "a\"b", "a\\b", "\xc3\xa9", "a;b", "a,b", "<a>"})
    EXPECT_FALSE(is_request_id(bad)) << bad;
}

}  // namespace
}  // namespace ringpost::http
