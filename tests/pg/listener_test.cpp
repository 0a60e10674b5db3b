// A session that listens: what it says, what it hands on and when it says that something may have
// been missed; lost, refused, full, given up and stopped.
#include "src/pg/listener.h"

#include "tests/pg/pool_client.h"

namespace ringpost::pg {
namespace {

using io::Reactor, io::Task;
using What = Heard::What;

// LISTEN "news" and LISTEN "of ""it""", each with a Sync.
const std::string listen_news =
    "C\0\0\0\x06S\0P\0\0\0\x15\0LISTEN \"news\"\0\0\0D\0\0\0\x06S\0"
    "B\0\0\0\x0e\0\0\0\0\0\0\0\1\0\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\4"s;
const std::string listen_quoted =
    "C\0\0\0\x06S\0P\0\0\0\x1a\0LISTEN \"of \"\"it\"\"\"\0\0\0D\0\0\0\x06S\0"
    "B\0\0\0\x0e\0\0\0\0\0\0\0\1\0\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\4"s;
const std::string listening =
    "3\0\0\0\4"
    "1\0\0\0\4"
    "t\0\0\0\6\0\0"
    "n\0\0\0\4"
    "2\0\0\0\4"
    "C\0\0\0\x0bLISTEN\0"
    "Z\0\0\0\5I"s;

// From the backend 258, on "news".
std::string notify(char payload) {
  return "A\0\0\0\x0f\0\0\1\2news\0"s + payload + '\0';
}

class Ears {
 public:
  Ears(Reactor& reactor, const ScriptedPostgres& server, std::vector<std::string> channels,
       size_t most_waiting = 16)
      : buffers_(reactor, 16), scope_(reactor) {
    options_.conninfo.hosts = {server.host()};
    options_.conninfo.user = "alice";
    options_.conninfo.dbname = "shop";
    options_.first_backoff = options_.last_backoff = 2ms;
    listener.emplace(reactor, buffers_, options_, std::move(channels), observer, most_waiting);
    scope_.spawn(listener->run());
  }
  // What is heard next, as one word.
  Task<std::string> next(io::Until until) {
    const Result<Heard> heard = co_await listener->next(until);
    if (!heard) co_return heard.error().kind == Error::Kind::cancelled ? "cancelled" : "timed out";
    switch (heard->what) {
      case What::listening:
        co_return "listening";
      case What::missed:
        co_return "missed " + std::to_string(heard->count);
      case What::notification:
        break;
    }
    co_return heard->channel + ":" + heard->payload + ":" + std::to_string(heard->process_id);
  }
  Task<void> stop() {
    listener->stop();
    co_await scope_.join();
  }

  Recorder observer;
  std::optional<Listener> listener;

 private:
  tests::Buffers buffers_;
  Options options_;
  io::Scope scope_;
};

TEST(Listener, HandsOnWhatItHearsAndListensAnew) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate gate(reactor);
    // Amid the answers, cut anywhere, several at once.
    server.play(log_in() + Script{expect(listen_news + listen_quoted),
                                  tests::send_in_pieces(listening + notify('a') + listening, 1),
                                  pause(gate), send(notify('b') + notify('c')), close_session()});
    server.play(log_in() +
                Script{expect(listen_news + listen_quoted),
                       send(listening + listening + notice("hear, hear") + notify('d'))});
    Ears ears(reactor, server, {"news", "of \"it\""});
    const io::Until until{reactor.now() + 3s};
    std::vector<std::string> heard;
    for (int i = 0; i < 6; ++i) {
      std::string one = co_await ears.next(until);
      heard.push_back(std::move(one));
      gate.open();
    }
    EXPECT_EQ(heard, (std::vector{"news:a:258"s, "listening"s, "news:b:258"s, "news:c:258"s,
                                  "listening"s, "news:d:258"s}));
    EXPECT_EQ(ears.observer.said,
              (std::vector{"connected 16.3"s, "lost 0: receive: closed by the peer"s,
                           "connected 16.3"s, "notice NOTICE hear, hear"s}));
    co_await ears.stop();
    co_await server.stop();
  });
}

TEST(Listener, SaysHowMuchItDropped) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in() + Script{expect(listen_news),
                                  send(listening + notify('a') + notify('b') + notify('c')),
                                  send(notify('d'))});
    Ears ears(reactor, server, {"news"}, 2);
    co_await io::Sleep(reactor, 30ms, nullptr);
    const io::Until until{reactor.now() + 3s};
    std::vector<std::string> heard;
    for (int i = 0; i < 3; ++i) {
      std::string one = co_await ears.next(until);
      heard.push_back(std::move(one));
    }
    EXPECT_EQ(heard, (std::vector{"missed 3"s, "news:c:258"s, "news:d:258"s}));
    co_await ears.stop();
    co_await server.stop();
  });
}

TEST(Listener, AWaitThatIsGivenUp) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in() + Script{expect(listen_news), send(listening)});
    Ears ears(reactor, server, {"news"});
    std::string heard = co_await ears.next({reactor.now() + 3s});
    EXPECT_EQ(heard, "listening");
    heard = co_await ears.next({reactor.now() + 20ms});
    EXPECT_EQ(heard, "timed out");
    io::Scope scope(reactor);
    std::vector<std::string> ends;
    const auto wait = [&](io::Until until) -> Task<void> {
      std::string end = co_await ears.next(until);
      ends.push_back(std::move(end));
    };
    scope.spawn(wait(scope.until()));
    scope.cancel();
    co_await scope.join();
    io::Scope second(reactor);
    second.spawn(wait({reactor.now() + 3s}));
    co_await ears.stop();
    co_await second.join();
    std::string end = co_await ears.next({reactor.now() + 3s});
    ends.push_back(std::move(end));
    EXPECT_EQ(ends, (std::vector{"cancelled"s, "cancelled"s, "cancelled"s}));
    co_await server.stop();
  });
}

// A standby can't listen; it may be a primary later.
TEST(Listener, ThatIsRefusedTriesAgain) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    for (int i = 0; i < 2; ++i)
      server.play(
          log_in() +
          Script{expect(listen_news),
                 send(error("ERROR", "25006", "cannot execute LISTEN during recovery") + ready)});
    server.play(log_in() + Script{expect(listen_news), send(ready)});  // out of place
    server.play(log_in() + Script{expect(listen_news), send(listening)});
    Ears ears(reactor, server, {"news"});
    const std::string heard = co_await ears.next({reactor.now() + 3s});
    EXPECT_EQ(heard, "listening");
    EXPECT_EQ(ears.observer.said,
              (std::vector{"connect_failed ERROR 25006: cannot execute LISTEN during recovery"s,
                           "connect_failed protocol violation: ReadyForQuery out of place"s,
                           "connected 16.3"s}));
    co_await ears.stop();
    co_await server.stop();
  });
}

TEST(Listener, WaitsForAServerThatIsNotThere) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    Ears ears(reactor, server, {"news"});  // which nobody serves yet
    const bool tried = co_await tests::turns_until(
        reactor, [&] { return ears.observer.count("connect_failed") == 1; });
    EXPECT_TRUE(tried);
    server.listen();
    server.play(log_in() + Script{expect(listen_news), send(listening)});
    const std::string heard = co_await ears.next({reactor.now() + 3s});
    EXPECT_EQ(heard, "listening");
    co_await ears.stop();
    co_await server.stop();
  });
}

}  // namespace
}  // namespace ringpost::pg
