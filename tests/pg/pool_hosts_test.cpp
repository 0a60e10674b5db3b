// Connections that go to another host, as it is a better one, or theirs is gone or has changed.
// None of it costs a query.
#include "tests/pg/renewing.h"

namespace ringpost::pg {
namespace {

using io::Reactor, io::Task;

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
    second.play(used(as_primary) +
                Script{expect(ask_find(2)), send(answer(2)), expect(ask_find(1)), send(answer(1))});
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
    first.play(used(as_standby) + Script{expect(ask_find(1)),
                                         send(status("in_hot_standby", "off") + answer(1)),
                                         expect(ask_find(2)), send(answer(2))});
    second.play(looked_at(as_primary));
    Client client(reactor, first,
                  at_hosts({&first, &second}, Wanted::standby,
                           [](Options& options) { options.hosts.settled = 60s; }));
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
      first.play(used(as_primary) +
                 Script{expect(ask_add(1)), send(refused), expect(terminate), expect_end()});
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

}  // namespace
}  // namespace ringpost::pg
