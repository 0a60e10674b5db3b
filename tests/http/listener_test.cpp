#include "src/http/listener.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "tests/http/served.h"

namespace ringpost::http {
namespace {

using namespace std::chrono_literals;
using io::Task;
using tests::get;
using tests::HttpClient;
using tests::ok;
using tests::serve;
using tests::Served;

constexpr std::string_view closed = "|receive: closed by the peer";

TEST(Listener, ServesManyConnections) {
  serve({}, [](Served& s) -> Task<void> {
    std::vector<std::unique_ptr<HttpClient>> clients;
    for (int i = 0; i < 50; ++i) {
      clients.push_back(std::make_unique<HttpClient>(s.reactor, s.buffers, s.connect()));
      clients.back()->send(get("/now/" + std::to_string(i)));
    }
    for (size_t i = 0; i < clients.size(); ++i)
      EXPECT_EQ(co_await clients[i]->answer(), ok(std::to_string(i)));
    EXPECT_EQ(s.listener.connections(), 50u);
    for (const auto& client : clients) co_await client->close();
    co_await s.leaves(0);
  });
}

TEST(Listener, AtTheLimitOfConnectionsTheNextWaits) {
  Limits limits;
  limits.connections = 2;
  limits.linger_timeout = 10ms;
  serve(limits, [](Served& s) -> Task<void> {
    HttpClient one = s.client(), two = s.client(), three = s.client();
    one.send(get("/now/1"));
    two.send(get("/now/2"));
    three.send(get("/now/3"));
    EXPECT_EQ(co_await one.answer(), ok("1"));
    EXPECT_EQ(co_await two.answer(), ok("2"));
    EXPECT_EQ(co_await three.within(80ms), "");
    EXPECT_EQ(s.listener.connections(), 2u);
    co_await one.close();
    EXPECT_EQ(co_await three.answer(), ok("3"));
    co_await two.close();
    co_await three.close();
  });
}

TEST(Listener, WhoWaitsAtTheLimitIsServedAsSoonAsOneEnds) {
  Limits limits;
  limits.connections = 1;
  serve(limits, [](Served& s) -> Task<void> {
    io::Duration waited{};
    for (int round = 0; round < 10; ++round) {
      HttpClient one = s.client(), two = s.client();
      one.send(get("/now/1"));
      EXPECT_EQ(co_await one.answer(), ok("1"));
      co_await two.send_now(get("/now/2"));
      const io::Time begin = s.reactor.now();
      co_await one.close();
      EXPECT_EQ(co_await two.answer(), ok("2"));
      waited += s.reactor.now() - begin;
      co_await two.close();
    }
    EXPECT_LT(waited, 100ms);
  });
}

TEST(Listener, WhoIsIdleLongestMakesRoomAtTheLimit) {
  Limits limits;
  limits.connections = 3;
  limits.drain_grace = 10ms;
  serve(limits, [](Served& s) -> Task<void> {
    HttpClient busy = s.client(), one = s.client(), two = s.client();
    busy.send(get("/after/600/0"));
    one.send(get("/now/1"));
    EXPECT_EQ(co_await one.answer(), ok("1"));
    co_await s.sleep(10ms);
    two.send(get("/now/2"));
    EXPECT_EQ(co_await two.answer(), ok("2"));
    HttpClient three = s.client();
    const io::Time begin = s.reactor.now();
    three.send(get("/now/3"));
    EXPECT_EQ(co_await one.rest(), closed);
    co_await one.close();
    EXPECT_EQ(co_await three.answer(), ok("3"));
    EXPECT_LT(s.reactor.now() - begin, 580ms);
    two.send(get("/now/on"));
    EXPECT_EQ(co_await two.answer(), ok("on")) << "one that leaves is enough";
    EXPECT_EQ(co_await busy.answer(), ok("0"));
    co_await busy.close();
    co_await two.close();
    co_await three.close();
  });
}

TEST(Listener, OutOfDescriptorsItSlowsDown) {
  serve({}, [](Served& s) -> Task<void> {
    rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 100;  // before accepting begins: the kernel notes it then
    setrlimit(RLIMIT_NOFILE, &limit);
    HttpClient one = s.client();
    one.send(get("/now/1"));
    EXPECT_EQ(co_await one.answer(), ok("1"));
    HttpClient two = s.client();
    std::vector<int> taken;
    for (int fd; (fd = ::dup(one.fd())) != -1;) taken.push_back(fd);
    two.send(get("/now/2"));
    EXPECT_EQ(co_await two.within(30ms), "");
    one.send(get("/now/on"));
    EXPECT_EQ(co_await one.answer(), ok("on")) << "who is served already is served on";
    for (const int fd : taken) ::close(fd);
    EXPECT_EQ(co_await two.answer(), ok("2"));
    limit.rlim_cur = before;
    setrlimit(RLIMIT_NOFILE, &limit);
    co_await one.close();
    co_await two.close();
  });
}

TEST(Listener, DrainAnswersWhatWasAskedAndEnds) {
  serve({}, [](Served& s) -> Task<void> {
    HttpClient idle = s.client(), working = s.client();
    idle.send(get("/now/1"));
    EXPECT_EQ(co_await idle.answer(), ok("1"));
    co_await working.send_now(get("/after/50/2"));
    // Connected and asked, but not yet accepted: no turn has passed.
    HttpClient late = s.client();
    EXPECT_EQ(::send(late.fd(), "GET /now/3 HTTP/1.1\r\nHost: a\r\n\r\n", 32, 0), 32);
    s.listener.drain();
    EXPECT_EQ(co_await late.answer(), ok("3", "Connection: close\r\n"));
    EXPECT_EQ(co_await working.answer(), ok("2", "Connection: close\r\n"));
    EXPECT_EQ(co_await working.rest(), closed);
    EXPECT_EQ(co_await idle.rest(), closed);
    EXPECT_EQ(s.connect(), -1) << "nobody listens any more";
    co_await idle.close();
    co_await working.close();
    co_await late.close();
    co_await s.ends();
  });
}

TEST(Listener, DrainingTwiceIsDrainingOnce) {
  serve({}, [](Served& s) -> Task<void> {
    HttpClient working = s.client();
    co_await working.send_now(get("/after/30/x"));
    s.listener.drain();
    co_await s.sleep(5ms);
    s.listener.drain();
    EXPECT_EQ(co_await working.answer(), ok("x", "Connection: close\r\n"));
    co_await working.close();
  });
}

TEST(Listener, DrainAtTheLimitOfConnectionsStillAnswersWhoWaited) {
  Limits limits;
  limits.connections = 1;
  serve(limits, [](Served& s) -> Task<void> {
    HttpClient one = s.client(), two = s.client();
    co_await one.send_now(get("/after/30/1"));
    co_await two.send_now(get("/now/2"));
    EXPECT_EQ(s.handler.handled, "/after/30/1");
    s.listener.drain();
    EXPECT_EQ(co_await two.answer(), ok("2", "Connection: close\r\n"));
    EXPECT_EQ(co_await one.answer(), ok("1", "Connection: close\r\n"));
    co_await one.close();
    co_await two.close();
  });
}

TEST(Listener, CancelEndsEverything) {
  serve({}, [](Served& s) -> Task<void> {
    HttpClient idle = s.client(), half = s.client(), working = s.client(), large = s.client();
    idle.send(get("/now/1"));
    EXPECT_EQ(co_await idle.answer(), ok("1"));
    co_await half.send_now("GET / HT");
    co_await working.send_now(get("/never"));
    co_await large.send_now(get("/large/50000000"));
    EXPECT_EQ(s.listener.connections(), 4u);
    s.listener.cancel();
    co_await s.ends();
    EXPECT_EQ(s.handler.gave_up, 1);
    EXPECT_EQ(s.connect(), -1);
    for (HttpClient* client : {&idle, &half, &working, &large}) co_await client->close();
  });
}

TEST(Listener, CancelAfterDrainEndsWhatIsLeft) {
  serve({}, [](Served& s) -> Task<void> {
    HttpClient working = s.client();
    co_await working.send_now(get("/never"));
    s.listener.drain();
    co_await s.sleep(150ms);
    EXPECT_FALSE(s.ended());
    s.listener.cancel();
    co_await s.ends();
    co_await working.close();
  });
}

}  // namespace
}  // namespace ringpost::http
