// Connections that make place for others though they are well: by their age, for having nothing to
// do, for a better host or a server that has changed. None of it costs a query.
#include <deque>

#include "tests/pg/answering.h"
#include "tests/pg/server_roles.h"

namespace ringpost::pg {
namespace {

using io::Reactor, io::Task;

const std::string old_age = "retired: it is old", unneeded = "retired: it has nothing to do",
                  moved = "retired: a better host is back",
                  changed = "retired: its server is no longer what target_session_attrs asks for";

Task<void> ask_until(Reactor& reactor, Client& client, std::deque<Answer>& answers, bool& enough) {
  while (!enough) {
    answers.emplace_back();
    co_await client.run(answers.back(), static_cast<int32_t>(answers.size() % 100));
    co_await io::Sleep(reactor, 1ms, nullptr);
  }
}

Task<void> said(Client& client, std::string_view line, size_t count = 1) {
  const bool there = co_await client.until([&] { return client.observer.count(line) >= count; });
  EXPECT_TRUE(there) << line;
}

// Two that ask all the time until `line` was said: they get their own answers, and no other.
Task<void> while_asked(Reactor& reactor, Client& client, std::string_view line) {
  std::deque<Answer> first, second;
  bool enough = false;
  io::Scope scope(reactor);
  scope.spawn(ask_until(reactor, client, first, enough));
  scope.spawn(ask_until(reactor, client, second, enough));
  co_await said(client, line);
  enough = true;
  co_await scope.join();
  for (const auto* answers : {&first, &second}) {
    EXPECT_GT(answers->size(), 3u);
    for (size_t i = 0; i < answers->size(); ++i)
      EXPECT_TRUE((*answers)[i].is({static_cast<int32_t>((i + 1) % 100)})) << i << (*answers)[i];
  }
}

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
      const std::vector expected =
          places == 1 ? std::vector{"connected 16.3"s, old_age, "connected 16.3"s}
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
      const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(io::Clock::now() - opened);
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

// It is looked at twice, so that it has been up for a while; then sessions come back.
TEST(Renewal, SessionsComeBackToTheFirstHost) {
  for (const uint32_t places : {1u, 2u}) {
    run_on_reactor([places](Reactor& reactor) -> Task<void> {
      ScriptedPostgres first(reactor), second(reactor);
      second.listen();
      Gate gate(reactor);
      gate.open();
      second.play(used(as_primary) + Script{answer_everything(gate)});
      Client client(reactor, first,
                    at_hosts({&first, &second}, Wanted::any,
                             [places](Options& options) { options.max_connections = places; }));
      co_await client.connected();
      co_await io::Sleep(reactor, 60ms, nullptr);
      first.play(looked_at(as_primary));
      first.play(looked_at(as_primary));
      first.play(used(as_primary) + Script{answer_everything(gate)});
      first.listen();
      co_await while_asked(reactor, client, moved);
      co_await said(client, "connected", 2);
      EXPECT_EQ(client.observer.count("lost"), 0u);
      EXPECT_EQ(client.observer.count("connect_failed"), 0u) << "a look is no attempt to connect";
      co_await client.stop();
      co_await first.stop();
      co_await second.stop();
    });
  }
}

// The first host takes what it is asked and is silent: the next connection is had elsewhere, at
// once, and when it is known that the first is gone, what was asked there is asked there.
TEST(Renewal, ASilentHostIsLeft) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres first(reactor), second(reactor);
    first.listen();
    second.listen();
    first.play(used(as_primary) + Script{expect(ask_find(1)), never_answer()});
    first.play({never_answer()});  // a look
    second.play(used(as_primary) + Script{expect(ask_find(2)), send(answer(2)), expect(ask_find(1)),
                                          send(answer(1))});
    second.play(used(as_primary));  // the minimum is kept
    Client client(reactor, first, at_hosts({&first, &second}, Wanted::any, [](Options& options) {
                    options.max_connections = 2;
                    options.pipeline_time = 50ms;
                    options.connect_timeout = 200ms;
                    options.hosts.first = options.hosts.last = 60s;
                  }));
    co_await client.connected();
    Answer one, two;
    client.ask(one, 1);
    co_await io::Sleep(reactor, 60ms, nullptr);
    co_await client.run(two, 2);
    EXPECT_TRUE(two.is({2})) << two;
    EXPECT_LT(two.took, 150ms) << "it does not wait for the first once more";
    EXPECT_FALSE(one.done);
    co_await client.answered(one);
    EXPECT_TRUE(one.is({1})) << one;
    EXPECT_LT(one.took, 2s);
    EXPECT_EQ(client.observer.count("lost 1: its host is gone"), 1u);
    co_await said(client, "connected", 3);
    co_await client.stop();
    co_await first.stop();
    co_await second.stop();
  });
}

// It is up for those who look, and not for who comes to stay.
TEST(Renewal, WhatIsNoBetterDoesNotStay) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres first(reactor), second(reactor);
    second.listen();
    Gate gate(reactor);
    gate.open();
    second.play(used(as_primary) + Script{answer_everything(gate)});
    second.play(used(as_primary) + Script{answer_everything(gate)});
    Client client(reactor, first, at_hosts({&first, &second}, Wanted::any, [](Options& options) {
                    options.max_connections = 2;
                    options.hosts.last = 60s;
                  }));
    co_await client.connected();
    first.play(looked_at(as_primary));
    first.play(looked_at(as_primary));
    first.play({close_session()});
    for (int i = 0; i < 20; ++i) first.play(looked_at(as_primary));
    first.listen();
    co_await while_asked(reactor, client, unneeded);
    EXPECT_EQ(client.pool->open_connections(), 1u);
    EXPECT_EQ(client.observer.count("lost"), 0u);
    first.play_no_more();
    co_await client.stop();
    co_await first.stop();
    co_await second.stop();
  });
}

// The standby is promoted, and says so with an answer: sessions go to the other one, at once.
TEST(Renewal, AServerThatIsNoLongerWhatIsAskedForIsLeft) {
  for (const uint32_t places : {1u, 2u}) {
    run_on_reactor([places](Reactor& reactor) -> Task<void> {
      ScriptedPostgres first(reactor), second(reactor);
      first.listen();
      second.listen();
      first.play(used(as_standby) +
                 Script{expect(ask_find(1)),
                        send(answer(1).substr(0, answer(1).size() - ready.size()) +
                             status("in_hot_standby", "off") + ready),
                        expect(terminate), expect_end()});
      second.play(looked_at(as_standby));
      second.play(used(as_standby) + Script{expect(ask_find(2)), send(answer(2))});
      Client client(reactor, first,
                    at_hosts({&first, &second}, Wanted::standby, [places](Options& options) {
                      options.max_connections = places;
                      options.hosts.settled = 60s;
                    }));
      Answer one, two;
      co_await client.run(one, 1);
      EXPECT_TRUE(one.is({1})) << one;
      co_await said(client, changed);
      co_await client.run(two, 2);
      EXPECT_TRUE(two.is({2})) << two;
      EXPECT_EQ(client.observer.count("lost"), 0u);
      co_await client.stop();
      co_await first.stop();
      co_await second.stop();
    });
  }
}

// Where there is no other it stays: a read is better answered than not.
TEST(Renewal, AServerThatHasChangedStaysWhereNoneIsBetter) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres first(reactor), second(reactor);
    first.listen();
    second.listen();
    first.play(used(as_standby) +
               Script{expect(ask_find(1)), send(status("in_hot_standby", "off") + answer(1)),
                      expect(ask_find(2)), send(answer(2))});
    second.play(looked_at(as_primary));
    Client client(reactor, first, at_hosts({&first, &second}, Wanted::standby, [](Options& options) {
                    options.hosts.settled = 60s;
                  }));
    Answer one, two;
    co_await client.run(one, 1);
    const bool seen = co_await client.until([&] { return second.sessions() == 1; });
    EXPECT_TRUE(seen);
    co_await io::Sleep(reactor, 20ms, nullptr);
    co_await client.run(two, 2);
    EXPECT_TRUE(one.is({1}) && two.is({2})) << one << two;
    EXPECT_EQ(client.observer.count("retired"), 0u);
    co_await client.stop();
    co_await first.stop();
    co_await second.stop();
  });
}

// With prefer-standby a primary serves until a standby is back.
TEST(Renewal, ThePrimaryServesUntilAStandbyIsBack) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres primary(reactor), standby(reactor);
    primary.listen();
    Gate gate(reactor);
    gate.open();
    primary.play(looked_at(as_primary));  // on the first walk
    primary.play(used(as_primary) + Script{answer_everything(gate)});
    Client client(reactor, primary, at_hosts({&primary, &standby}, Wanted::prefer_standby));
    co_await client.connected();
    standby.play(looked_at(as_standby));
    standby.play(looked_at(as_standby));
    standby.play(used(as_standby) + Script{answer_everything(gate)});
    standby.listen();
    co_await while_asked(reactor, client, moved);
    co_await client.stop();
    co_await primary.stop();
    co_await standby.stop();
  });
}

// A write is refused, as its server is a standby by now: it fails as what may be asked again, and
// the next is asked elsewhere.
TEST(Renewal, AServerThatTakesNoWritesAnyMoreIsLeft) {
  for (const Wanted wanted : {Wanted::primary, Wanted::read_write}) {
    run_on_reactor([wanted](Reactor& reactor) -> Task<void> {
      ScriptedPostgres first(reactor), second(reactor);
      first.listen();
      second.listen();
      const std::string refused =
          error("ERROR", "25006", "cannot execute INSERT in a read-only transaction") + ready;
      first.play(used(as_primary) + Script{expect(ask_add(1)), send(refused), expect(terminate),
                                           expect_end()});
      second.play(looked_at(as_primary));
      second.play(used(as_primary) + Script{expect(ask_add(2)), send(answer(2))});
      Client client(reactor, first, at_hosts({&first, &second}, wanted));
      Answer one, two;
      co_await client.run(one, 1, add_number);
      EXPECT_TRUE(one.failed(Error::Kind::unavailable)) << one;
      EXPECT_EQ(one.error->message(),
                "no connection to PostgreSQL: its server takes no writes any more: ERROR 25006: "
                "cannot execute INSERT in a read-only transaction");
      co_await said(client, changed);
      co_await client.run(two, 2, add_number);
      EXPECT_TRUE(two.is({2})) << two;
      co_await client.stop();
      co_await first.stop();
      co_await second.stop();
    });
  }
}

// Where any server will do, a refused write is its owner's affair.
TEST(Renewal, AWriteThatIsRefusedByAnyServerIsAnError) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() +
                Script{expect(ask_add(1)), send(error("ERROR", "25006", "read-only") + ready)});
    Client client(reactor, server);
    Answer one;
    co_await client.run(one, 1, add_number);
    EXPECT_TRUE(one.failed(Error::Kind::server)) << one;
    EXPECT_FALSE(one.error->outage());
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
