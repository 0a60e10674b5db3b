// One connection: its start, its answers in every form that PostgreSQL may give them, its end.
#include "src/pg/connection.h"

#include "tests/pg/pool_client.h"

namespace ringpost::pg {
namespace {

using io::Reactor, io::Task;

TEST(Connection, AsksAndSaysGoodbye) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{expect(ask_find(5)), send(answer(7)),
                                              expect(ask_add(6)), send(answer(6)),
                                              expect(terminate), expect_end()});
    Client client(reactor, server);
    Answer first, second;
    co_await client.run(first, 5);
    EXPECT_TRUE(first.is({7})) << first;
    co_await client.run(second, 6, add_number);
    EXPECT_TRUE(second.is({6})) << second;
    EXPECT_EQ(client.observer.said, std::vector{"connected 16.3"s});
    co_await client.stop();
    co_await server.stop();
  });
}

// What one turn asks leaves in one send, and each query gets its own answer.
TEST(Connection, PipelinesWhatIsAskedTogether) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{expect(ask_find(1) + ask_add(2) + ask_find(3)),
                                              send(answer(11) + bound + row(12) + row(13) +
                                                   selected + ready + bound + selected + ready)});
    Client client(reactor, server);
    co_await client.connected();
    Answer one, two, none;
    client.ask(one, 1);
    client.ask(two, 2, add_number);
    client.ask(none, 3);
    co_await client.answered(one, two, none);
    EXPECT_TRUE(one.is({11})) << one;
    EXPECT_TRUE(two.is({12, 13})) << two;
    EXPECT_TRUE(none.is({})) << none;
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Connection, AnswersCutAtEveryByte) {
  const std::string answers = answer(1) + bound + selected + ready + answer(2);
  run_on_reactor([&answers](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Script script = log_in_and_prepare();
    for (size_t at = 1; at < answers.size(); ++at)
      script = std::move(script) + Script{expect(ask_find(1) + ask_find(2) + ask_find(3)),
                                          send(answers.substr(0, at)), send(answers.substr(at))};
    script = std::move(script) +
             Script{expect(ask_find(1) + ask_find(2) + ask_find(3)), send_in_pieces(answers, 1)};
    server.play(std::move(script));
    Client client(reactor, server);
    co_await client.connected();
    for (size_t at = 1; at <= answers.size(); ++at) {
      Answer one, none, two;
      client.ask(one, 1);
      client.ask(none, 2);
      client.ask(two, 3);
      co_await client.answered(one, none, two);
      EXPECT_TRUE(one.is({1}) && none.is({}) && two.is({2})) << "cut at " << at << two;
    }
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Connection, AStartCutAtEveryByte) {
  for (const size_t piece : {1U, 2U, 3U, 7U}) {
    run_on_reactor([piece](Reactor& reactor) -> Task<void> {
      ScriptedPostgres server(reactor);
      server.listen();
      server.play({expect(startup_message), send_in_pieces(welcome, piece),
                   expect(prepare_find + sync + prepare_add + sync),
                   send_in_pieces(prepared + ready + prepared + ready, piece), expect(ask_find(5)),
                   send(answer(7))});
      Client client(reactor, server);
      Answer answer;
      co_await client.run(answer, 5);
      EXPECT_TRUE(answer.is({7})) << answer;
      co_await client.stop();
      co_await server.stop();
    });
  }
}

// Behind ReadyForQuery of the start there may be more in the same packet.
TEST(Connection, ANoticeRightBehindTheStart) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    const std::string late = notice("late");
    server.play({expect(startup_message), send(welcome + late.substr(0, 9)), send(late.substr(9)),
                 expect(prepare_find + sync + prepare_add + sync),
                 send(prepared + ready + prepared + ready), expect(ask_find(5)), send(answer(7))});
    Client client(reactor, server);
    Answer answer;
    co_await client.run(answer, 5);
    EXPECT_TRUE(answer.is({7})) << answer;
    EXPECT_EQ(client.observer.said, (std::vector{"notice NOTICE late"s, "connected 16.3"s}));
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Connection, WhatMayStandAnywhereStandsEverywhere) {
  const std::vector<std::string> anything{notice("by the way"), "A\0\0\0\x11\0\0\0\1topic\0it\0"s,
                                          "S\0\0\0\x11TimeZone\0UTC\0"s};
  const std::vector<std::string> parts{prepared.substr(0, 5),  // CloseComplete
                                       prepared.substr(5, 5),
                                       prepared.substr(10, 11),
                                       prepared.substr(21),
                                       ready,
                                       prepared.substr(0, 5),
                                       prepared.substr(5, 5),
                                       prepared.substr(10, 11),
                                       prepared.substr(21),
                                       ready,
                                       "",
                                       bound,
                                       row(7),
                                       row(8),
                                       selected,
                                       ready};
  constexpr size_t asked = 10;  // the part before which the query is awaited
  for (const std::string& extra : anything) {
    for (size_t place = 0; place <= parts.size(); ++place) {
      run_on_reactor([&](Reactor& reactor) -> Task<void> {
        ScriptedPostgres server(reactor);
        server.listen();
        Script script = log_in() + Script{expect(prepare_find + sync + prepare_add + sync)};
        for (size_t i = 0; i <= parts.size(); ++i) {
          if (i == place) script.push_back(send(extra));
          if (i == asked) script.push_back(expect(ask_find(5)));
          if (i < parts.size()) script.push_back(send(parts[i]));
        }
        server.play(std::move(script));
        Client client(reactor, server);
        Answer answer;
        co_await client.run(answer, 5);
        EXPECT_TRUE(answer.is({7, 8})) << printable(extra) << " before part " << place << answer;
        if (extra[0] == 'N') {
          EXPECT_TRUE(co_await client.until(
              [&] { return client.observer.count("notice NOTICE by the way") == 1; }));
        }
        EXPECT_EQ(client.observer.count("lost"), 0u);
        co_await client.stop();
        co_await server.stop();
      });
    }
  }
}

TEST(Connection, AnErrorTouchesOneQuery) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    const std::string division = error("ERROR", "22012", "division by zero");
    server.play(
        log_in_and_prepare() +
        Script{expect(ask_find(1) + ask_find(2) + ask_find(3) + ask_find(4)),
               send(answer(1) + division + ready + bound + row(9) + division + ready + answer(4)),
               expect(ask_find(5)), send(answer(5))});
    Client client(reactor, server);
    co_await client.connected();
    Answer first, at_bind, amid_rows, last, next;
    client.ask(first, 1);
    client.ask(at_bind, 2);
    client.ask(amid_rows, 3);
    client.ask(last, 4);
    co_await client.answered(first, at_bind, amid_rows, last);
    EXPECT_TRUE(first.is({1})) << first;
    EXPECT_TRUE(last.is({4})) << last;
    for (const Answer* failed : {&at_bind, &amid_rows}) {
      EXPECT_TRUE(failed->failed(Error::Kind::server)) << *failed;
      EXPECT_EQ(failed->error->server->sqlstate, "22012");
      EXPECT_EQ(failed->error->message(), "ERROR 22012: division by zero");
      EXPECT_FALSE(failed->error->outage());
      EXPECT_TRUE(failed->values.empty());
    }
    co_await client.run(next, 5);
    EXPECT_TRUE(next.is({5})) << next;
    EXPECT_EQ(client.observer.said, std::vector{"connected 16.3"s});
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Connection, ANullWhereThereCanBeNone) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() +
                Script{expect(ask_find(5)),
                       send(bound + row(1) + "D\0\0\0\x0a\0\1\xff\xff\xff\xff"s + row(2) +
                            selected + ready),
                       expect(ask_find(6)), send(answer(6))});
    Client client(reactor, server);
    Answer with_null, next;
    co_await client.run(with_null, 5);
    EXPECT_FALSE(with_null.error);
    EXPECT_TRUE(with_null.malformed);
    EXPECT_EQ(with_null.values, std::vector{1});
    co_await client.run(next, 6);
    EXPECT_TRUE(next.is({6})) << next;
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Connection, AnAnswerAboveTheLimitFailsAlone) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    std::string rows;
    for (int i = 0; i < 2000; ++i) rows += row(1);
    server.play(log_in_and_prepare() + Script{expect(ask_find(1) + ask_find(2)),
                                              send(bound + rows + selected + ready + answer(2)),
                                              expect(ask_find(3)),
                                              send_in_pieces(bound + rows + selected + ready, 999),
                                              expect(ask_find(4)), send(answer(4))});
    Client client(reactor, server, [](Options& options) { options.answer_bytes = 1000; });
    co_await client.connected();
    Answer one, two, three, four;
    client.ask(one, 1);
    client.ask(two, 2);
    co_await client.answered(one, two);
    EXPECT_TRUE(one.failed(Error::Kind::too_large)) << one;
    EXPECT_EQ(one.error->message(), "the answer to find_number is larger than 1000 bytes");
    EXPECT_TRUE(two.is({2})) << two;
    co_await client.run(three, 3);
    EXPECT_TRUE(three.failed(Error::Kind::too_large)) << three;
    co_await client.run(four, 4);
    EXPECT_TRUE(four.is({4})) << four;
    co_await client.stop();
    co_await server.stop();
  });
}

}  // namespace
}  // namespace ringpost::pg
