// What a connection asks once more after an error: reads whose statement was stale, or that gave
// way.
#include <deque>

#include "tests/pg/pool_client.h"

namespace ringpost::pg {
namespace {

using io::Reactor, io::Task;

// PostgreSQL says so when the statement's tables were altered, or after DISCARD ALL.
TEST(Connection, AStaleStatementIsPreparedAnewAndAskedAgain) {
  const std::string stale[] = {
      error("ERROR", "26000", "prepared statement \"find_number\" does not exist"),
      error("ERROR", "0A000", "cached plan must not change result type", "RevalidateCachedQuery")};
  for (const std::string& response : stale) {
    run_on_reactor([&](Reactor& reactor) -> Task<void> {
      ScriptedPostgres server(reactor);
      server.listen();
      server.play(log_in_and_prepare() +
                  Script{expect(ask_find(1) + ask_find(2)),
                         send(response + ready + response + ready),
                         expect(prepare_find + ask_find(1) + prepare_find + ask_find(2)),
                         send(prepared + answer(1) + prepared + answer(2)), expect(ask_find(3)),
                         send(answer(3))});
      Client client(reactor, server);
      co_await client.connected();
      Answer one, two, three;
      client.ask(one, 1);
      client.ask(two, 2);
      co_await client.answered(one, two);
      EXPECT_TRUE(one.is({1})) << one;
      EXPECT_TRUE(two.is({2})) << two;
      co_await client.run(three, 3);
      EXPECT_TRUE(three.is({3})) << three;
      co_await client.stop();
      co_await server.stop();
    });
  }
}

// Each session has to prepare it for itself.
TEST(Connection, AStatementMayBeStaleInTheNextSessionToo) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    const std::string stale = error("ERROR", "0A000", "cached plan must not change result type",
                                    "RevalidateCachedQuery") +
                              ready;
    server.play(log_in_and_prepare() + Script{expect(ask_find(1)), send(stale),
                                              expect(prepare_find + ask_find(1)), close_session()});
    server.play(log_in_and_prepare() + Script{expect(ask_find(1)), send(stale),
                                              expect(prepare_find + ask_find(1)),
                                              send(prepared + answer(1))});
    Client client(reactor, server);
    Answer one;
    co_await client.run(one, 1);
    EXPECT_TRUE(one.is({1})) << one;
    EXPECT_EQ(client.observer.count("connected"), 2u);
    co_await client.stop();
    co_await server.stop();
  });
}

// What gave way is asked again in line, and meets a session that has yet to prepare anew.
TEST(Connection, AReadThatGaveWayMayFindItsStatementStale) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    const std::string stale = error("ERROR", "26000", "does not exist") + ready,
                      conflict = error("ERROR", "40001", "gave way") + ready;
    server.play(log_in_and_prepare() +
                Script{expect(ask_find(1)), send(stale), expect(prepare_find + ask_find(1)),
                       send(prepared.substr(0, 5) + conflict), expect(prepare_find + ask_find(1)),
                       send(prepared.substr(0, 5) + stale), expect(prepare_find + ask_find(1)),
                       send(prepared + answer(1))});
    Client client(reactor, server);
    Answer one;
    co_await client.run(one, 1);
    EXPECT_TRUE(one.is({1})) << one;
    co_await client.stop();
    co_await server.stop();
  });
}

// Its place in the pipeline is free for it, though who is answered before it asks the next at once.
TEST(Connection, AStaleStatementInAFullPipelineIsAskedAgain) {
  const std::string stale = error("ERROR", "26000", "does not exist") + ready;
  run_on_reactor([&](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{expect(ask_find(1) + ask_find(1)),
                                              send(answer(11) + stale),
                                              expect(ask_find(2) + prepare_find + ask_find(1)),
                                              send(stale + prepared + answer(12)),
                                              expect(prepare_find + ask_find(2) + ask_find(2)),
                                              send(prepared + answer(13) + answer(14))});
    Client client(reactor, server, [](Options& options) { options.pipeline_depth = 2; });
    co_await client.connected();
    io::Scope scope(reactor);
    std::deque<Answer> answers(4);
    scope.spawn(client.ask_in_turn(answers, 0, 2));
    scope.spawn(client.ask_in_turn(answers, 1, 2));
    co_await scope.join();
    EXPECT_TRUE(answers[0].is({11}) && answers[1].is({12}) && answers[2].is({13}) &&
                answers[3].is({14}))
        << answers[0] << answers[1] << answers[2] << answers[3];
    co_await client.stop();
    co_await server.stop();
  });
}

// Behind the queries that were asked meanwhile, and no more than once.
TEST(Connection, AReadThatGaveWayIsAskedOnceMore) {
  for (const char* sqlstate : {"40001", "40P01"}) {
    run_on_reactor([&](Reactor& reactor) -> Task<void> {
      ScriptedPostgres server(reactor);
      server.listen();
      const std::string conflict = error("ERROR", sqlstate, "gave way") + ready;
      server.play(log_in_and_prepare() +
                  Script{expect(ask_find(1) + ask_find(2) + ask_find(3)),
                         send(conflict + answer(2) + bound + row(9) + conflict),
                         expect(ask_find(1) + ask_find(3)), send(answer(1) + conflict),
                         expect(ask_find(4)), send(answer(4))});
      Client client(reactor, server);
      co_await client.connected();
      Answer one, two, three, four;
      client.ask(one, 1);
      client.ask(two, 2);
      client.ask(three, 3);
      co_await client.answered(one, two, three);
      EXPECT_TRUE(one.is({1})) << one;
      EXPECT_TRUE(two.is({2})) << two;
      EXPECT_TRUE(three.failed(Error::Kind::server)) << three;
      EXPECT_TRUE(three.error->outage());
      EXPECT_TRUE(three.values.empty());
      co_await client.run(four, 4);
      EXPECT_TRUE(four.is({4})) << four;
      EXPECT_EQ(client.observer.count("lost"), 0u);
      co_await client.stop();
      co_await server.stop();
    });
  }
}

// A statement that writes is not ours to repeat, what ran out of its time would do so again, and
// who is short of memory is not to be asked for more at once.
TEST(Connection, WhatMayNotBeAskedAgainFailsAtOnce) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() +
                Script{expect(ask_add(1)), send(error("ERROR", "40001", "gave way") + ready),
                       expect(ask_find(2)), send(error("ERROR", "57014", "too long") + ready),
                       expect(ask_find(3)), send(error("ERROR", "55P03", "locked") + ready),
                       expect(ask_find(3)), send(error("ERROR", "53200", "out of memory") + ready),
                       expect(ask_find(4)), send(answer(4))});
    Client client(reactor, server);
    Answer adding, too_long, locked, out_of_memory, next;
    co_await client.run(adding, 1, add_number);
    co_await client.run(too_long, 2);
    co_await client.run(locked, 3);
    co_await client.run(out_of_memory, 3);
    for (const Answer* failed : {&adding, &too_long, &locked, &out_of_memory}) {
      EXPECT_TRUE(failed->failed(Error::Kind::server)) << *failed;
      EXPECT_TRUE(failed->error->outage());
    }
    co_await client.run(next, 4);
    EXPECT_TRUE(next.is({4})) << next;
    co_await client.stop();
    co_await server.stop();
  });
}

// In line it may wait for its turn no longer than its deadline says.
TEST(Connection, AReadThatGaveWayWaitsInLineWithTheOthers) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    const std::string conflict = error("ERROR", "40001", "gave way") + ready;
    Gate gate(reactor);
    server.play(log_in_and_prepare_singly() +
                Script{expect(ask_find(1)), send(conflict), expect(ask_find(2)), pause(gate),
                       send(answer(2)), expect(ask_find(3)), send(answer(3))});
    Client client(reactor, server, [](Options& options) { options.pipeline_depth = 1; });
    co_await client.connected();
    Answer gave_way, two, three;
    client.ask(gave_way, 1, find_number, 100ms);
    client.ask(two, 2);
    co_await client.answered(gave_way);
    EXPECT_TRUE(gave_way.failed(Error::Kind::unavailable)) << gave_way;
    EXPECT_GE(gave_way.took, 90ms);
    gate.open();
    co_await client.answered(two);
    EXPECT_TRUE(two.is({2})) << two;
    co_await client.run(three, 3);
    EXPECT_TRUE(three.is({3})) << three;
    co_await client.stop();
    co_await server.stop();
  });
}

// Prepared with a query and stale all the same it is asked without a name once, as a pooler has it.
TEST(Connection, AStatementThatStaysStaleFails) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    const std::string stale = error("ERROR", "26000", "does not exist");
    const std::string unsupported = error("ERROR", "0A000", "not supported", "transformStmt");
    server.play(log_in_and_prepare() +
                Script{expect(ask_find(1)), send(stale + ready), expect(prepare_find + ask_find(1)),
                       send(prepared.substr(0, 5) + stale + ready),
                       expect(unnamed_find + ask_unnamed(1)), send(stale + ready),
                       expect(unnamed_find + ask_unnamed(2)), send(prepared + answer(2)),
                       expect(unnamed_find + ask_unnamed(3)), send(unsupported + ready)});
    Client client(reactor, server);
    Answer one, two, three;
    co_await client.run(one, 1);
    EXPECT_TRUE(one.failed(Error::Kind::server)) << one;
    co_await client.run(two, 2);
    EXPECT_TRUE(two.is({2})) << two;
    co_await client.run(three, 3);
    EXPECT_TRUE(three.failed(Error::Kind::server)) << three;
    co_await client.stop();
    co_await server.stop();
  });
}

}  // namespace
}  // namespace ringpost::pg
