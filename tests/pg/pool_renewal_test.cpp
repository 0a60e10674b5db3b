// Connections that make place for others though they are well: by their age, and for having nothing
// to do. None of it costs a query.
#include <algorithm>
#include <deque>
#include <vector>

#include "tests/pg/renewing.h"

namespace ringpost::pg {
namespace {

using io::Reactor, io::Task;

// The other one is there before, where there is a place for it.
TEST(Renewal, AnOldConnectionIsReplaced) {
  for (const uint32_t places : {1u, 2u}) {
    run_on_reactor([places](Reactor& reactor) -> Task<void> {
      ScriptedPostgres server(reactor);
      server.listen();
      Gate gate(reactor);
      gate.open();
      server.play(serving(gate));
      server.play(serving(gate));
      Client client(reactor, server, [places](Options& options) {
        options.max_connections = places;
        options.max_age = 100ms;
      });
      co_await client.connected();
      client.options.max_age = 0ms;  // of the next one
      co_await while_asked(reactor, client, old_age);
      const std::vector expected = places == 1
                                       ? std::vector{"connected 16.3"s, old_age, "connected 16.3"s}
                                       : std::vector{"connected 16.3"s, "connected 16.3"s, old_age};
      const bool both =
          co_await client.until([&] { return client.observer.said.size() == expected.size(); });
      EXPECT_TRUE(both);
      EXPECT_EQ(client.observer.said, expected);
      EXPECT_EQ(server.sessions(), 2u);
      EXPECT_EQ(client.pool->open_connections(), 1u);
      co_await client.stop();
      co_await server.stop();
    });
  }
}

// What is in flight is answered where it was asked; what comes meanwhile is asked on the next one.
TEST(Renewal, WhatIsInFlightIsAwaited) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate gate(reactor);
    server.play(log_in_and_prepare() + Script{expect(ask_find(1) + ask_find(2)), send(answer(1)),
                                              pause(gate), send(answer(2)), expect(terminate),
                                              expect_end()});
    server.play(log_in_and_prepare() + Script{expect(ask_find(3)), send(answer(3))});
    Client client(reactor, server, [](Options& options) { options.max_age = 100ms; });
    co_await client.connected();
    client.options.max_age = 0ms;
    Answer one, two, three;
    client.ask(one, 1);
    client.ask(two, 2);
    co_await io::Sleep(reactor, 150ms, nullptr);
    EXPECT_EQ(client.pool->open_connections(), 0u) << "it takes none any more";
    client.ask(three, 3);
    co_await io::Sleep(reactor, 20ms, nullptr);
    EXPECT_EQ(server.sessions(), 1u) << "one place";
    gate.open();
    co_await client.answered(one, two, three);
    EXPECT_TRUE(one.is({1}) && two.is({2}) && three.is({3})) << one << two << three;
    co_await client.stop();
    co_await server.stop();
  });
}

// Of a group some are asked once more, on the session itself though it takes no others.
TEST(Renewal, WhatWasSkippedIsStillAsked) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate gate(reactor);
    server.play(log_in_and_prepare() +
                Script{expect(bind_find(1) + bind_find(2) + sync), pause(gate),
                       send(error("ERROR", "22012", "division by zero") + ready),
                       expect(ask_find(2)), send(answer(2)), expect(terminate), expect_end()});
    server.play(log_in_and_prepare());
    Client client(reactor, server, [](Options& options) {
      options.max_age = 100ms;
      options.shared_syncs = true;
      options.group_time = options.group_member_time = 1s;
    });
    co_await client.connected();
    client.options.max_age = 0ms;
    Answer one, two;
    client.ask(one, 1);
    client.ask(two, 2);
    co_await io::Sleep(reactor, 150ms, nullptr);
    gate.open();
    co_await client.answered(one, two);
    EXPECT_TRUE(one.failed(Error::Kind::server)) << one;
    EXPECT_TRUE(two.is({2})) << two;
    co_await said(client, "connected", 2);
    co_await client.stop();
    co_await server.stop();
  });
}

// So is one whose statement was stale.
TEST(Renewal, WhatIsToBePreparedAnewIsStillAsked) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate gate(reactor);
    server.play(log_in_and_prepare() +
                Script{expect(ask_find(1)), pause(gate),
                       send(error("ERROR", "26000", "does not exist") + ready),
                       expect(prepare_find + ask_find(1)), send(prepared + answer(1)),
                       expect(terminate), expect_end()});
    server.play(log_in_and_prepare());
    Client client(reactor, server, [](Options& options) { options.max_age = 100ms; });
    co_await client.connected();
    client.options.max_age = 0ms;
    Answer one;
    client.ask(one, 1);
    co_await io::Sleep(reactor, 150ms, nullptr);
    gate.open();
    co_await client.answered(one);
    EXPECT_TRUE(one.is({1})) << one;
    co_await said(client, "connected", 2);
    co_await client.stop();
    co_await server.stop();
  });
}

// Nothing is given up for what can't be had.
TEST(Renewal, WhereNoOtherCanBeOpenedTheOldOneStays) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate gate(reactor);
    gate.open();
    server.play(serving(gate));
    server.play({expect(startup_message), send(error("FATAL", "53300", "too many clients")),
                 close_session()});
    Client client(reactor, server, [](Options& options) {
      options.max_connections = 2;
      options.max_age = 100ms;
    });
    co_await client.connected();
    co_await while_asked(reactor, client, "connect_failed");
    Answer answer;
    co_await client.run(answer, 5);
    EXPECT_TRUE(answer.is({5})) << answer;
    EXPECT_EQ(client.observer.count("retired"), 0u);
    EXPECT_EQ(client.pool->open_connections(), 1u);
    co_await client.stop();
    co_await server.stop();
  });
}

// None sooner than at four fifths of its age, and the next when that one's place is taken again.
TEST(Renewal, TheyEndOneAtATime) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    for (int i = 0; i < 8; ++i) server.play(log_in_and_prepare());
    Client client(reactor, server, [](Options& options) {
      options.min_connections = options.max_connections = 4;
      options.max_age = 500ms;
    });
    const bool all = co_await client.until([&] { return client.pool->open_connections() == 4; });
    EXPECT_TRUE(all);
    client.options.max_age = 0ms;
    const io::Time opened = reactor.now();
    std::vector<std::chrono::milliseconds> ends;
    uint32_t fewest = 4;
    const bool ended = co_await client.until([&] {
      const auto now =
          std::chrono::duration_cast<std::chrono::milliseconds>(io::Clock::now() - opened);
      while (ends.size() < client.observer.count(old_age)) ends.push_back(now);
      fewest = std::min(fewest, client.pool->open_connections());
      return ends.size() == 4;
    });
    EXPECT_TRUE(ended);
    EXPECT_GE(ends.front(), 380ms);
    EXPECT_GE(fewest, 3u) << "one at a time";
    const bool again = co_await client.until([&] { return client.pool->open_connections() == 4; });
    EXPECT_TRUE(again);
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Renewal, AConnectionThatIsNotNeededIsClosedAgain) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate gate(reactor);
    server.play(log_in_and_prepare() + Script{expect(ask_find(1)), pause(gate), send(answer(1)),
                                              expect(terminate), expect_end()});
    Client client(reactor, server, [](Options& options) {
      options.min_connections = 0;
      options.idle_age = 60ms;
    });
    Answer one, two;
    client.ask(one, 1);
    co_await io::Sleep(reactor, 100ms, nullptr);
    EXPECT_EQ(client.observer.count("retired"), 0u) << "it is at work";
    const io::Time began = reactor.now();
    gate.open();
    co_await client.answered(one);
    EXPECT_TRUE(one.is({1})) << one;
    co_await said(client, unneeded);
    EXPECT_GE(io::Clock::now() - began, 60ms);
    EXPECT_EQ(client.pool->open_connections(), 0u);
    server.play(log_in_and_prepare() + Script{expect(ask_find(2)), send(answer(2))});
    co_await client.run(two, 2);
    EXPECT_TRUE(two.is({2})) << two;
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Renewal, TheMinimumIsKept) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate gate(reactor);
    for (int i = 0; i < 3; ++i) server.play(serving_singly(gate));
    Client client(reactor, server, [](Options& options) {
      options.max_connections = 3;
      options.pipeline_depth = 1;
      options.idle_age = 50ms;
    });
    co_await client.connected();
    std::deque<Answer> answers(12);
    for (Answer& each : answers) client.ask(each, 1);
    const bool all = co_await client.until([&] { return client.pool->open_connections() == 3; });
    EXPECT_TRUE(all);
    gate.open();
    for (const Answer& each : answers) co_await client.answered(each);
    co_await said(client, unneeded, 2);
    co_await io::Sleep(reactor, 120ms, nullptr);
    EXPECT_EQ(client.observer.count(unneeded), 2u);
    EXPECT_EQ(client.pool->open_connections(), 1u);
    co_await client.stop();
    co_await server.stop();
  });
}

// Both were forgotten on their way: what the first one's silence has shown the second is not asked.
TEST(Renewal, AnIdleConnectionBesideASilentOneIsOpenedAnew) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{expect(ask_find(1)), never_answer()});
    server.play(log_in_and_prepare() + Script{expect(terminate), expect_end()});
    server.play(log_in_and_prepare() + Script{expect(ask_find(2)), send(answer(2))});
    Client client(reactor, server, [](Options& options) {
      options.min_connections = options.max_connections = 2;
      options.pipeline_time = 50ms;
    });
    const bool both = co_await client.until([&] { return client.pool->open_connections() == 2; });
    EXPECT_TRUE(both);
    Answer one, two;
    client.ask(one, 1, find_number, 300ms);
    co_await io::Sleep(reactor, 70ms, nullptr);
    co_await client.run(two, 2);
    EXPECT_TRUE(two.is({2})) << two;
    EXPECT_LT(two.took, 200ms);
    EXPECT_EQ(client.observer.count("retired: it may be as dead as another one"), 1u);
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Renewal, StopEndsItAtEveryStep) {
  const Script whole = used(as_primary);
  for (size_t steps = 0; steps <= whole.size(); ++steps) {
    run_on_reactor([&](Reactor& reactor) -> Task<void> {
      ScriptedPostgres server(reactor);
      server.listen();
      server.play(log_in_and_prepare());
      server.play(Script(whole.begin(), whole.begin() + static_cast<long>(steps)) +
                  Script{never_answer()});
      Client client(reactor, server, [](Options& options) {
        options.max_connections = 2;
        options.max_age = 30ms;
      });
      co_await client.connected();
      client.options.max_age = 0ms;
      const bool begun = co_await client.until([&] { return server.sessions() == 2; });
      EXPECT_TRUE(begun);
      co_await io::Sleep(reactor, 5ms, nullptr);
      const io::Time stopped = io::Clock::now();
      co_await client.stop();
      EXPECT_LT(io::Clock::now() - stopped, 2s) << steps;
      co_await server.stop();
    });
  }
}

}  // namespace
}  // namespace ringpost::pg
