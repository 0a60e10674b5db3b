// A listener with several sockets, one that another process has too, and limits by address.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <unistd.h>

#include "src/http/listener.h"
#include "tests/http/served.h"
#include "tests/support/sockets.h"

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

TEST(ListenerSockets, AllAreServed) {
  serve(
      {},
      [](Served& s) -> Task<void> {
        for (size_t round = 0; round < 3; ++round)
          for (size_t socket = 0; socket < 3; ++socket) {
            HttpClient client = s.client(socket);
            client.send(get("/now/" + std::to_string(socket)));
            EXPECT_EQ(co_await client.answer(), ok(std::to_string(socket)));
            co_await client.close();
          }
      },
      3);
}

TEST(ListenerSockets, ALimitOfConnectionsHoldsForAllOfThem) {
  Limits limits;
  limits.connections = 4;
  limits.linger_timeout = 10ms;
  serve(
      limits,
      [](Served& s) -> Task<void> {
        std::vector<std::unique_ptr<HttpClient>> clients;
        for (size_t i = 0; i < 12; ++i) {
          clients.push_back(std::make_unique<HttpClient>(s.reactor, s.buffers, s.connect(i % 2)));
          co_await clients.back()->send_now(get("/never"));
        }
        co_await s.sleep(20ms);
        EXPECT_GE(s.listener.connections(), 4u);
        EXPECT_LE(s.listener.connections(), 5u);  // one more for the second socket
        for (const auto& client : clients) co_await client->close();
      },
      2);
}

TEST(ListenerSockets, DrainingTakesWhatWaitsAtEach) {
  Limits limits;
  limits.connections = 1;
  serve(
      limits,
      [](Served& s) -> Task<void> {
        HttpClient busy = s.client(0), other = s.client(1);
        co_await busy.send_now(get("/after/30/0"));
        co_await other.send_now(get("/after/30/0"));
        HttpClient one = s.client(0), two = s.client(1);
        co_await one.send_now(get("/now/1"));
        co_await two.send_now(get("/now/2"));
        s.listener.drain();
        EXPECT_EQ(co_await one.answer(), ok("1", "Connection: close\r\n"));
        EXPECT_EQ(co_await two.answer(), ok("2", "Connection: close\r\n"));
        EXPECT_EQ(co_await busy.answer(), ok("0", "Connection: close\r\n"));
        EXPECT_EQ(co_await other.answer(), ok("0", "Connection: close\r\n"));
        for (HttpClient* client : {&busy, &other, &one, &two}) co_await client->close();
        co_await s.ends();
      },
      2);
}

// As at a hand-over: the other process is a descriptor that the test keeps.
TEST(ListenerSockets, DrainingCanLeaveWhatWaitsToAnotherProcess) {
  Limits limits;
  limits.connections = 1;
  int kept = -1;
  serve(limits, [&kept](Served& s) -> Task<void> {
    kept = ::dup(s.listening.front());
    HttpClient busy = s.client();
    co_await busy.send_now(get("/after/30/0"));
    const int waiting = s.connect();
    s.listener.drain(Listener::Backlog::leave);
    EXPECT_EQ(co_await busy.answer(), ok("0", "Connection: close\r\n"));
    co_await busy.close();
    co_await s.ends();
    const int after = s.connect();
    EXPECT_NE(after, -1) << "nobody is refused";
    for (int i = 0; i < 2; ++i) {
      const int accepted = ::accept4(kept, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      EXPECT_NE(accepted, -1) << "it is in the queue that the other process has, too";
      ::close(accepted);
    }
    ::close(waiting);
    ::close(after);
  });
  ::close(kept);
}

// As after a hand-over: there is time for one more request of each connection.
TEST(ListenerSockets, DrainingCanBePatient) {
  serve({}, [](Served& s) -> Task<void> {
    HttpClient kept = s.client();
    kept.send(get("/now/1"));
    EXPECT_EQ(co_await kept.answer(), ok("1"));
    s.context.set_drain_grace(400ms);  // by default it would be 100
    s.listener.drain();
    co_await s.sleep(200ms);
    kept.send(get("/now/2"));
    EXPECT_EQ(co_await kept.answer(), ok("2", "Connection: close\r\n"));
    co_await kept.close();
    co_await s.ends();
  });
}

TEST(ListenerSockets, AnAdoptedConnectionIsServed) {
  const auto [ours, theirs] = tests::socket_pair();
  serve(
      {},
      [theirs](Served& s) -> Task<void> {
        HttpClient client(s.reactor, s.buffers, theirs);
        client.send(get("/now/x"));
        EXPECT_EQ(co_await client.answer(), ok("x"));
        co_await client.close();
      },
      1, ours);
}

TEST(ListenerAddresses, TheOneTooManyIsClosedAtOnce) {
  Limits limits;
  limits.connections_of_address = 2;
  serve(limits, [](Served& s) -> Task<void> {
    HttpClient one = s.client(), two = s.client(), three = s.client();
    one.send(get("/now/1"));
    two.send(get("/now/2"));
    EXPECT_EQ(co_await one.answer(), ok("1"));
    EXPECT_EQ(co_await two.answer(), ok("2"));
    EXPECT_EQ(co_await three.rest(), closed);
    EXPECT_EQ(s.metrics.refused.value(), 1u);
    EXPECT_EQ(s.metrics.accepted.value(), 3u);
    EXPECT_EQ(s.listener.connections(), 2u);
    // When one has gone there is room again.
    co_await one.close();
    co_await s.leaves(1);
    HttpClient four = s.client();
    four.send(get("/now/4"));
    EXPECT_EQ(co_await four.answer(), ok("4"));
    for (HttpClient* client : {&two, &three, &four}) co_await client->close();
  });
}

TEST(ListenerAddresses, AnotherAddressHasItsOwn) {
  Limits limits;
  limits.connections_of_address = 1;
  serve(limits, [](Served& s) -> Task<void> {
    HttpClient one = s.client(), none = s.client();
    HttpClient other(s.reactor, s.buffers, s.connect_from("127.0.0.2"));
    one.send(get("/now/1"));
    EXPECT_EQ(co_await one.answer(), ok("1"));
    EXPECT_EQ(co_await none.rest(), closed);
    other.send(get("/now/2"));
    EXPECT_EQ(co_await other.answer(), ok("2"));
    for (HttpClient* client : {&one, &none, &other}) co_await client->close();
  });
}

}  // namespace
}  // namespace ringpost::http
