// Behind a pooler that does not keep prepared statements: each query then brings its own, without a
// name, and nobody is told.
#include <deque>
#include <map>
#include <random>

#include "tests/pg/pool_client.h"

namespace ringpost::pg {
namespace {

using io::Reactor, io::Task;

const std::string unnamed_add =
    "C\0\0\0\x06S\0"
    "P\0\0\0\x37\0insert into numbers values ($1) returning n\0\0\1\0\0\0\x17"
    "D\0\0\0\x06S\0"s;
const std::string missing = error("ERROR", "26000", "prepared statement \"x\" does not exist");
const std::string exists = error("ERROR", "42P05", "prepared statement \"x\" already exists");
const std::string stale =
    error("ERROR", "0A000", "cached plan must not change result type", "RevalidateCachedQuery");
const std::string not_kept =
    "statements_not_kept: ERROR 26000: prepared statement \"x\" does not exist";

// A session that loses find_number twice, the second time as it is asked for 2.
Script losing_names() {
  return log_in_and_prepare() + Script{expect(ask_find(1)),
                                       send(missing + ready),
                                       expect(prepare_find + ask_find(1)),
                                       send(prepared + answer(1)),
                                       expect(ask_find(2)),
                                       send(missing + ready),
                                       expect(unnamed_find + ask_unnamed(2)),
                                       send(prepared + answer(2))};
}

Task<void> ask_until_names_are_lost(Client& client) {
  Answer one, two;
  co_await client.run(one, 1);
  EXPECT_TRUE(one.is({1})) << one;
  co_await client.run(two, 2);
  EXPECT_TRUE(two.is({2})) << two;
  EXPECT_EQ(client.observer.said, (std::vector{"connected 16.3"s, not_kept}));
}

TEST(Unnamed, WhatIsLostAgainIsAskedWithoutAName) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(losing_names() +
                Script{expect(unnamed_find + ask_unnamed(3)), send(prepared + answer(3)),
                       // Which the session has, as far as is known.
                       expect(ask_add(4)), send(missing + ready),
                       expect(unnamed_add + ask_unnamed(4)), send(prepared + answer(4))});
    Client client(reactor, server);
    co_await ask_until_names_are_lost(client);
    Answer three, four;
    co_await client.run(three, 3);
    EXPECT_TRUE(three.is({3})) << three;
    co_await client.run(four, 4, add_number);
    EXPECT_TRUE(four.is({4})) << four;
    EXPECT_EQ(client.observer.count("statements_not_kept"), 1u);
    co_await client.stop();
    co_await server.stop();
  });
}

// A pooler that keeps statements for its clients has the old one still, whatever is prepared.
TEST(Unnamed, WhatIsStaleWhenItIsNewIsAskedWithoutAName) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() +
                Script{expect(ask_find(1)), send(stale + ready), expect(prepare_find + ask_find(1)),
                       send("3\0\0\0\4"
                            "1\0\0\0\4"s +
                            stale + ready),
                       expect(unnamed_find + ask_unnamed(1)), send(prepared + answer(1)),
                       expect(unnamed_find + ask_unnamed(2)), send(prepared + answer(2))});
    Client client(reactor, server);
    Answer one, two;
    co_await client.run(one, 1);
    EXPECT_TRUE(one.is({1})) << one;
    co_await client.run(two, 2);
    EXPECT_TRUE(two.is({2})) << two;
    EXPECT_EQ(client.observer.count("statements_not_kept"), 1u);
    co_await client.stop();
    co_await server.stop();
  });
}

// Between two Syncs of its own each: what is in another group may reach another server.
TEST(Unnamed, EachQueryHasItsOwnGroup) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(losing_names() +
                Script{expect(unnamed_find + ask_unnamed(3) + unnamed_find + ask_unnamed(4)),
                       send(prepared + answer(3) + prepared + answer(4))});
    Client client(reactor, server, [](Options& options) {
      options.shared_syncs = true;
      options.group_member_time = 1s;
    });
    co_await ask_until_names_are_lost(client);
    Answer three, four;
    client.ask(three, 3);
    client.ask(four, 4);
    co_await client.answered(three, four);
    EXPECT_TRUE(three.is({3}) && four.is({4})) << three << four;
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Unnamed, TheNextSessionIsToldNoNames) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(losing_names() + Script{close_session()});
    server.play(log_in() +
                Script{expect(unnamed_add + ask_unnamed(3)), send(prepared + answer(3))});
    Client client(reactor, server);
    co_await ask_until_names_are_lost(client);
    const bool again =
        co_await client.until([&] { return client.observer.count("connected") == 2; });
    EXPECT_TRUE(again);
    Answer three;
    co_await client.run(three, 3, add_number);
    EXPECT_TRUE(three.is({3})) << three;
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Unnamed, NamesAreTriedAgainAfterAWhile) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(losing_names() + Script{expect(prepare_find + ask_find(3)),
                                        send(prepared + answer(3)), expect(ask_find(4)),
                                        send(answer(4))});
    Client client(reactor, server, [](Options& options) { options.unnamed_pause = 50ms; });
    co_await ask_until_names_are_lost(client);
    co_await io::Sleep(reactor, 60ms, nullptr);
    Answer three, four;
    co_await client.run(three, 3);
    EXPECT_TRUE(three.is({3})) << three;
    co_await client.run(four, 4);
    EXPECT_TRUE(four.is({4})) << four;
    co_await client.stop();
    co_await server.stop();
  });
}

// DEALLOCATE ALL, by a function say, takes a statement from all queries in flight: that is one
// loss.
TEST(Unnamed, OneLossOfManyQueriesIsNoReason) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    const std::string again =
        prepare_find + ask_find(1) + prepare_find + ask_find(2) + prepare_find + ask_find(3);
    server.play(log_in_and_prepare() +
                Script{expect(ask_find(1) + ask_find(2) + ask_find(3)),
                       send(missing + ready + missing + ready + missing + ready), expect(again),
                       send(prepared + answer(1) + prepared + answer(2) + prepared + answer(3)),
                       expect(ask_find(4)), send(answer(4)), expect(ask_add(5)),
                       send(missing + ready), expect(prepare_add + ask_add(5)),
                       send(prepared + answer(5))});
    Client client(reactor, server);
    co_await client.connected();
    std::deque<Answer> answers(5);
    for (int i = 0; i < 3; ++i) client.ask(answers[static_cast<size_t>(i)], i + 1);
    co_await client.answered(answers[0], answers[1], answers[2]);
    co_await client.run(answers[3], 4);
    co_await client.run(answers[4], 5, add_number);
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(answers[static_cast<size_t>(i)].is({i + 1})) << i;
    EXPECT_EQ(client.observer.said, std::vector{"connected 16.3"s});
    co_await client.stop();
    co_await server.stop();
  });
}

// A pooler that keeps the names of one client's statements for all.
TEST(Unnamed, WhatIsThereAlreadyIsAskedWithoutAName) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    const std::string closed = prepared.substr(0, 5);
    server.play(log_in() + Script{expect(prepare_find + sync + prepare_add + sync),
                                  send(closed + exists + ready + prepared + ready),
                                  expect(unnamed_find + ask_unnamed(1)), send(prepared + answer(1)),
                                  expect(ask_add(2)), send(answer(2))});
    Client client(reactor, server);
    Answer one, two;
    co_await client.run(one, 1);
    EXPECT_TRUE(one.is({1})) << one;
    co_await client.run(two, 2, add_number);
    EXPECT_TRUE(two.is({2})) << two;
    EXPECT_EQ(
        client.observer.said,
        (std::vector{"statements_not_kept: ERROR 42P05: prepared statement \"x\" already exists"s,
                     "connected 16.3"s}));
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Unnamed, WhatIsThereAlreadyAtItsFirstUseIsAskedWithoutAName) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    const std::string closed = prepared.substr(0, 5);
    server.play(log_in_and_prepare() +
                Script{expect(ask_find(1)), send(missing + ready),
                       expect(prepare_find + ask_find(1)), send(closed + exists + ready),
                       expect(unnamed_find + ask_unnamed(1)), send(prepared + answer(1)),
                       // Nobody makes sense of this one.
                       expect(unnamed_find + ask_unnamed(2)), send(closed + exists + ready),
                       expect(unnamed_find + ask_unnamed(3)), send(closed + missing + ready),
                       expect(unnamed_find + ask_unnamed(3)), send(closed + missing + ready)});
    Client client(reactor, server);
    Answer one, two, three;
    co_await client.run(one, 1);
    EXPECT_TRUE(one.is({1})) << one;
    co_await client.run(two, 2);
    EXPECT_TRUE(two.failed(Error::Kind::server)) << two;
    co_await client.run(three, 3);
    EXPECT_TRUE(three.failed(Error::Kind::server)) << three;
    co_await client.stop();
    co_await server.stop();
  });
}

// PgBouncer, where it keeps statements itself and has lost one.
TEST(Unnamed, APoolersWordThatEndsTheSessionIsHeard) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() +
                Script{expect(ask_find(1)),
                       send(error("FATAL", "08P01", "prepared statement did not exist")),
                       close_session()});
    server.play(log_in() +
                Script{expect(unnamed_find + ask_unnamed(1)), send(prepared + answer(1))});
    Client client(reactor, server);
    Answer one;
    co_await client.run(one, 1);
    EXPECT_TRUE(one.is({1})) << one;
    EXPECT_EQ(
        client.observer.count("statements_not_kept: FATAL 08P01: prepared statement did not exist"),
        1u);
    co_await client.stop();
    co_await server.stop();
  });
}

// Each answer is described anew: a column's type may have changed since the one before.
TEST(Unnamed, AnAnswerOfAnotherShapeIsNotTaken) {
  const std::string other_column =
      prepared.substr(0, 21) +
      "T\0\0\0\x1a\0\1n\0\0\0\0\0\0\0\0\0\2\xbd\0\x08\xff\xff\xff\xff\0\1"s;
  const std::string wider = prepared.substr(0, 21) +
                            "T\0\0\0\x1a\0\1n\0\0\0\0\0\0\0\0\0\0\x14\0\x08\xff\xff\xff\xff\0\1"s;
  const std::string eight_bytes = "D\0\0\0\x12\0\1\0\0\0\x08\0\0\0\0\0\0\0\4"s;
  run_on_reactor([&](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(losing_names() +
                Script{expect(unnamed_find + ask_unnamed(3)), send(other_column + answer(3)),
                       expect(unnamed_find + ask_unnamed(4)),
                       send(wider + bound + eight_bytes + selected + ready),
                       expect(unnamed_find + ask_unnamed(5)), send(prepared + answer(5))});
    Client client(reactor, server);
    co_await ask_until_names_are_lost(client);
    Answer three, four, five;
    co_await client.run(three, 3);
    EXPECT_TRUE(three.failed(Error::Kind::mismatch)) << three;
    EXPECT_EQ(three.error->message(),
              "statement find_number: column 1 'n' is float8, the program reads int4");
    co_await client.run(four, 4);
    EXPECT_TRUE(four.is({4})) << four;
    co_await client.run(five, 5);
    EXPECT_TRUE(five.is({5})) << five;
    co_await client.stop();
    co_await server.stop();
  });
}

// A pooler over `sessions` of a server: each group of messages goes to one that chance takes, which
// may be a new one, and in which another program has just left a statement without a name that
// answers 99.
class Pooler {
 public:
  Pooler(size_t sessions, unsigned seed) : statements_(sessions), random_(seed) {}

  Script client() {
    return log_in() + Script{[this](tests::PgSession& session) { return serve(session); }};
  }
  size_t missed = 0;

 private:
  using Statements = std::map<std::string, std::string>;  // SQL by name

  Task<bool> serve(tests::PgSession& session) {
    for (;;) {
      Statements& statements = statements_[random_() % statements_.size()];
      if (random_() % 2 == 0) statements.clear();
      statements[""] = "another program's";
      std::string answers, sql, value;
      bool failed = false;
      for (;;) {
        const std::string one = co_await session.message(true);
        if (one.empty() || one == terminate) {
          session.close();
          co_return false;
        }
        if (one == sync) break;
        if (failed) continue;
        const std::string response = answer_to(one, statements, sql, value);
        answers += response;
        failed = response[0] == 'E';
        missed += failed ? 1 : 0;
      }
      const bool going = co_await session.send(answers + ready, 4096);
      if (!going) co_return false;
    }
  }

  static std::string answer_to(const std::string& one, Statements& statements, std::string& sql,
                               std::string& value) {
    const std::string body = one.substr(5);
    const std::string first(body.c_str());
    const std::string second(body.c_str() + first.size() + (first.size() < body.size() ? 1 : 0));
    switch (one[0]) {
      case 'C':
        statements.erase(first.substr(1));
        return prepared.substr(0, 5);
      case 'P':
        if (!first.empty() && statements.contains(first)) return exists;
        statements[first] = second;
        return prepared.substr(5, 5);
      case 'D':
        return statements.contains(first.substr(1)) ? prepared.substr(10) : missing;
      case 'B':
        if (!statements.contains(second)) return missing;
        sql = statements[second];
        value = one.substr(one.size() - 5, 1);
        return bound;
      default:
        return row(sql == find_number.sql ? value[0] : '\x63') + selected;
    }
  }

  std::vector<Statements> statements_;
  std::minstd_rand random_;
};

TEST(Unnamed, NoAnswerIsAnothersHoweverThePoolerMixesSessions) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    run_on_reactor([seed](Reactor& reactor) -> Task<void> {
      ScriptedPostgres server(reactor);
      server.listen();
      Pooler pooler(3, seed);
      for (int i = 0; i < 2; ++i) server.play(pooler.client());
      Client client(reactor, server, [](Options& options) {
        options.min_connections = options.max_connections = 2;
        options.shared_syncs = true;
        options.group_member_time = 1s;
      });
      const bool both = co_await client.until([&] { return client.pool->open_connections() == 2; });
      EXPECT_TRUE(both);
      for (int turn = 0; turn < 30; ++turn) {
        std::deque<Answer> answers(4);
        for (int i = 0; i < 4; ++i) client.ask(answers[static_cast<size_t>(i)], turn + i);
        for (int i = 0; i < 4; ++i) {
          co_await client.answered(answers[static_cast<size_t>(i)]);
          EXPECT_TRUE(answers[static_cast<size_t>(i)].is({turn + i}))
              << seed << " " << turn << answers[static_cast<size_t>(i)];
        }
      }
      EXPECT_EQ(client.observer.count("statements_not_kept"), 1u) << seed;
      EXPECT_LT(pooler.missed, 12u) << seed << ": of 120 queries";
      EXPECT_EQ(client.observer.count("lost"), 0u);
      co_await client.stop();
      co_await server.stop();
    });
  }
}

}  // namespace
}  // namespace ringpost::pg
