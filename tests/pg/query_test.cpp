// How a query ends early: its deadline, its cancellation, the pool's stop; in line and in flight.
// What its answer brings when it comes after all is drained, and nobody else gets it.
#include "src/pg/query.h"

#include "tests/pg/pool_client.h"

namespace ringpost::pg {
namespace {

using io::Cancellation, io::Reactor, io::Task;

TEST(Query, ALateAnswerIsDrainedAndTheNextQueryGetsItsOwn) {
  // The late answer is as it comes: whole, failed, in pieces.
  const Script late[] = {
      {send(answer(1))},
      {send_in_pieces(answer(1), 1)},
      {send(error("ERROR", "57014", "canceling statement due to statement timeout") + ready)},
      {send(bound + row(1) + notice("slow") + row(2) + selected + ready)}};
  for (const Script& answering : late) {
    run_on_reactor([&](Reactor& reactor) -> Task<void> {
      ScriptedPostgres server(reactor);
      server.listen();
      Gate gate(reactor);
      server.play(log_in_and_prepare() + Script{expect(ask_find(1)), pause(gate)} + answering +
                  Script{expect(ask_find(2)), send(answer(2))});
      Client client(reactor, server);
      co_await client.connected();
      Answer slow, next;
      co_await client.run(slow, 1, find_number, 30ms);
      EXPECT_TRUE(slow.failed(Error::Kind::timed_out)) << slow;
      EXPECT_TRUE(slow.error->outage());
      EXPECT_GE(slow.took, 29ms);
      EXPECT_LT(slow.took, 1s);
      client.ask(next, 2);
      gate.open();
      co_await client.answered(next);
      EXPECT_TRUE(next.is({2})) << next;
      EXPECT_EQ(client.observer.count("lost"), 0u);
      co_await client.stop();
      co_await server.stop();
    });
  }
}

constexpr auto find_by_name = proto::pg::read<Number(std::string_view)>(
    "find_by_name", "select n from numbers where name = $1");

TEST(Query, OfAStatementThatThePoolDoesNotKnowIsRefusedUnsent) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{expect(ask_find(2)), send(answer(2))});
    Client client(reactor, server);
    co_await client.connected();
    auto query =
        client.pool->query(find_by_name, {reactor.now() + 3s, nullptr}, std::string_view("Zoe"));
    const auto rows = co_await query;
    EXPECT_FALSE(rows);
    if (!rows) {
      EXPECT_EQ(rows.error().kind, Error::Kind::mismatch);
      EXPECT_EQ(rows.error().message(),
                "statement find_by_name: it is none of those that the pool was made with");
    }
    Answer next;
    co_await client.run(next, 2);
    EXPECT_TRUE(next.is({2})) << next;
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Query, ParametersThatNoMessageHoldsAreRefusedUnsent) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{expect(ask_find(2)), send(answer(2))});
    Client client(reactor, server);
    co_await client.connected();
    // Of a made-up length, which 32 bits would take for 1: nothing reads it.
    const std::string_view endless("x", (size_t{1} << 32) + 1);
    auto query = client.pool->query(find_by_name, {reactor.now() + 3s, nullptr}, endless);
    const auto rows = co_await query;
    EXPECT_FALSE(rows);
    if (!rows) {
      EXPECT_EQ(rows.error().kind, Error::Kind::too_large);
      EXPECT_FALSE(rows.error().outage());
      EXPECT_EQ(rows.error().message(),
                "statement find_by_name: its parameters are larger than PostgreSQL's 1 GiB for a "
                "message");
    }
    Answer next;
    co_await client.run(next, 2);
    EXPECT_TRUE(next.is({2})) << next;
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Query, ADeadlineAmidTheRows) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate gate(reactor);
    server.play(log_in_and_prepare() +
                Script{expect(ask_find(1) + ask_find(2)),
                       send(bound + row(1) + row(1).substr(0, 9)), pause(gate),
                       send(row(1).substr(9) + selected + ready + answer(2))});
    Client client(reactor, server);
    co_await client.connected();
    Answer slow, next;
    client.ask(slow, 1, find_number, 30ms);
    client.ask(next, 2);
    co_await client.answered(slow);
    EXPECT_TRUE(slow.failed(Error::Kind::timed_out)) << slow;
    EXPECT_TRUE(slow.values.empty());
    gate.open();
    co_await client.answered(next);
    EXPECT_TRUE(next.is({2})) << next;
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Query, CancelledInFlight) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate gate(reactor);
    server.play(log_in_and_prepare() + Script{expect(ask_find(1) + ask_find(2) + ask_find(3)),
                                              pause(gate),
                                              send(answer(1) + answer(2) + answer(3))});
    Client client(reactor, server);
    co_await client.connected();
    Cancellation cancellation;
    Answer one, two, three;
    client.ask(one, 1);
    client.ask(two, 2, find_number, 3s, &cancellation);
    client.ask(three, 3);
    co_await io::Sleep(reactor, 5ms, nullptr);
    EXPECT_FALSE(two.done);
    cancellation.request();
    co_await client.answered(two);
    EXPECT_TRUE(two.failed(Error::Kind::cancelled)) << two;
    EXPECT_FALSE(one.done);
    gate.open();
    co_await client.answered(one, three);
    EXPECT_TRUE(one.is({1})) << one;
    EXPECT_TRUE(three.is({3})) << three;
    co_await client.stop();
    co_await server.stop();
  });
}

// With one query a connection the others wait in line. What is given up there is never sent.
TEST(Query, GivenUpInLine) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate gate(reactor);
    server.play(log_in_and_prepare_singly() + Script{expect(ask_find(1)), pause(gate),
                                                     send(answer(1)), expect(ask_find(4)),
                                                     send(answer(4))});
    Client client(reactor, server, [](Options& options) { options.pipeline_depth = 1; });
    co_await client.connected();
    Cancellation cancellation;
    Answer one, two, three, four;
    client.ask(one, 1);
    client.ask(two, 2, find_number, 3s, &cancellation);
    client.ask(three, 3, find_number, 30ms);
    client.ask(four, 4);
    EXPECT_EQ(client.pool->waiting(), 3u);
    cancellation.request();
    co_await client.answered(two, three);
    EXPECT_TRUE(two.failed(Error::Kind::cancelled)) << two;
    EXPECT_TRUE(three.failed(Error::Kind::unavailable)) << three;
    EXPECT_EQ(client.pool->waiting(), 1u);
    gate.open();
    co_await client.answered(one, four);
    EXPECT_TRUE(one.is({1})) << one;
    EXPECT_TRUE(four.is({4})) << four;
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Query, ThatIsTooLateFromItsStartIsNotSent) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{expect(ask_find(3)), send(answer(3))});
    Client client(reactor, server);
    co_await client.connected();
    Cancellation cancellation;
    cancellation.request();
    Answer late, cancelled, next;
    co_await client.run(late, 1, find_number, -1ms);
    EXPECT_TRUE(late.failed(Error::Kind::unavailable)) << late;
    co_await client.run(cancelled, 2, find_number, 3s, &cancellation);
    EXPECT_TRUE(cancelled.failed(Error::Kind::cancelled)) << cancelled;
    co_await client.run(next, 3);
    EXPECT_TRUE(next.is({3})) << next;
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Query, StoppedInLineAndInFlight) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{expect(ask_find(1) + ask_find(2)),
                                              send(answer(1).substr(0, 8)), expect(terminate),
                                              expect_end()});
    Client client(reactor, server, [](Options& options) { options.pipeline_depth = 2; });
    co_await client.connected();
    Answer one, two, three;
    client.ask(one, 1);
    client.ask(two, 2);
    client.ask(three, 3);
    co_await io::Sleep(reactor, 5ms, nullptr);
    co_await client.stop();
    EXPECT_TRUE(one.failed(Error::Kind::unavailable)) << one;
    EXPECT_TRUE(two.failed(Error::Kind::unavailable)) << two;
    EXPECT_TRUE(three.failed(Error::Kind::cancelled)) << three;
    for (const Answer* each : {&one, &two, &three}) EXPECT_LT(each->took, 2s);
    EXPECT_EQ(client.observer.count("lost"), 0u) << "it was given up, not lost";
    co_await server.stop();
  });
}

TEST(Query, AskedOfAPoolThatHasStopped) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare());
    Client client(reactor, server);
    co_await client.connected();
    Answer at_once, later;
    client.pool->stop();
    co_await client.run(at_once, 1);
    EXPECT_TRUE(at_once.failed(Error::Kind::cancelled)) << at_once;
    EXPECT_LT(at_once.took, 1s);
    co_await client.stop();
    co_await client.run(later, 2);
    EXPECT_TRUE(later.failed(Error::Kind::cancelled)) << later;
    EXPECT_LT(later.took, 1s);
    co_await server.stop();
  });
}

// What was given up is cancelled, and the session goes on.
TEST(Query, GivenUpAndStillRunning) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate cancelled(reactor);
    server.play(log_in_and_prepare() +
                Script{expect(ask_find(1) + ask_find(2)), pause(cancelled),
                       send(error("ERROR", "57014", "canceling statement due to user request") +
                            ready + answer(2)),
                       expect(ask_find(3)), send(answer(3))});
    server.play({expect(cancel_request), open(cancelled), close_session()});
    Client client(reactor, server, [](Options& options) { options.give_up_timeout = 60ms; });
    co_await client.connected();
    Answer given_up, two, three;
    client.ask(given_up, 1, find_number, 20ms);
    client.ask(two, 2);
    co_await client.answered(given_up, two);
    EXPECT_TRUE(given_up.failed(Error::Kind::timed_out)) << given_up;
    EXPECT_TRUE(two.is({2})) << two;
    co_await client.run(three, 3);
    EXPECT_TRUE(three.is({3})) << three;
    EXPECT_EQ(client.observer.count("lost"), 0u);
    co_await client.stop();
    co_await server.stop();
  });
}

// The request may arrive when the next one runs already: that is asked again.
TEST(Query, HitByACancelThatWasMeantForAnother) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate cancelled(reactor);
    server.play(
        log_in_and_prepare() +
        Script{expect(ask_find(1) + ask_find(2)), pause(cancelled),
               send(answer(1) + error("ERROR", "57014", "canceling statement due to user request") +
                    ready),
               expect(ask_find(2)), send(answer(2))});
    server.play({expect(cancel_request), open(cancelled), close_session()});
    Client client(reactor, server, [](Options& options) { options.give_up_timeout = 60ms; });
    co_await client.connected();
    Answer given_up, two;
    client.ask(given_up, 1, find_number, 20ms);
    client.ask(two, 2);
    co_await client.answered(given_up, two);
    EXPECT_TRUE(two.is({2})) << two;
    co_await client.stop();
    co_await server.stop();
  });
}

// Where nothing was cancelled by us, 57014 is the server's own word: its statement_timeout.
TEST(Query, EndedByTheServersOwnTimeout) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(
        log_in_and_prepare() +
        Script{
            expect(ask_find(1)),
            send(error("ERROR", "57014", "canceling statement due to statement timeout") + ready)});
    Client client(reactor, server);
    Answer one;
    co_await client.run(one, 1);
    EXPECT_TRUE(one.failed(Error::Kind::server)) << one;
    EXPECT_TRUE(one.error->outage());
    co_await client.stop();
    co_await server.stop();
  });
}

// A row now and then, until `end` is open; none at all where it does not trickle. Then it closes,
// and opens `closed`.
Task<bool> work_until(tests::PgSession& session, bool trickles, Gate& end, Gate& closed) {
  bool taken = co_await session.send(bound, bound.size());
  while (taken && !end.is_open()) {
    co_await io::Sleep(session.reactor(), 5ms, nullptr);
    if (trickles) taken = co_await session.send(row(1), row(1).size(), true);
  }
  session.close();
  closed.open();
  co_return false;
}

// A server that does not obey, or has stopped answering: the session is closed, and its work
// cancelled again. Rows that trickle are no answer.
TEST(Query, AStalledConnectionIsReplaced) {
  for (const bool trickles : {false, true}) {
    run_on_reactor([trickles](Reactor& reactor) -> Task<void> {
      ScriptedPostgres server(reactor);
      server.listen();
      Gate ended(reactor), closed(reactor);
      const tests::Step work = [&, trickles](tests::PgSession& session) {
        return work_until(session, trickles, ended, closed);
      };
      server.play(log_in_and_prepare() + Script{expect(ask_find(1)), work});
      server.play({expect(cancel_request), close_session()});
      server.play({expect(cancel_request), open(ended), pause(closed), close_session()});
      server.play(log_in_and_prepare() + Script{expect(ask_find(2)), send(answer(2))});
      Client client(reactor, server, [](Options& options) { options.give_up_timeout = 60ms; });
      co_await client.connected();
      Answer stuck, next;
      co_await client.run(stuck, 1, find_number, 20ms);
      EXPECT_TRUE(stuck.failed(Error::Kind::timed_out)) << stuck;
      const bool lost = co_await client.until([&] { return client.observer.count("lost") == 1; });
      EXPECT_TRUE(lost);
      EXPECT_EQ(client.observer.said[1], "lost 1: no answer to a query that was given up");
      co_await client.run(next, 2);
      EXPECT_TRUE(next.is({2})) << next;
      co_await client.stop();
      co_await server.stop();
    });
  }
}

// Behind the query that was given up others wait: they are asked again elsewhere.
TEST(Query, BehindOneThatStalls) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() +
                Script{expect(ask_find(1) + ask_find(2)), expect(terminate), expect_end()});
    server.play({expect(cancel_request), close_session()});
    server.play({expect(cancel_request), expect_end()});  // does not even close
    server.play({expect(cancel_request), close_session()});
    server.play(log_in_and_prepare() + Script{expect(ask_find(2)), send(answer(2))});
    Client client(reactor, server, [](Options& options) { options.give_up_timeout = 60ms; });
    co_await client.connected();
    Answer stuck, next;
    client.ask(stuck, 1, find_number, 20ms);
    client.ask(next, 2, find_number, 4s);
    co_await client.answered(stuck, next);
    EXPECT_TRUE(stuck.failed(Error::Kind::timed_out)) << stuck;
    EXPECT_TRUE(next.is({2})) << next;
    co_await client.stop();
    co_await server.stop();
  });
}

// Nor do they wait for the end of that session, where there may be another.
TEST(Query, BehindOneThatStallsAnotherIsOpenedAtOnce) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() +
                Script{expect(ask_find(1) + ask_find(2)), expect(terminate), expect_end()});
    server.play({expect(cancel_request), close_session()});
    server.play(log_in_and_prepare() + Script{expect(ask_find(2)), send(answer(2))});
    server.play({expect(cancel_request), expect_end()});  // does not even close
    server.play({expect(cancel_request), close_session()});
    Client client(reactor, server, [](Options& options) {
      options.give_up_timeout = 60ms;
      options.max_connections = 2;
    });
    co_await client.connected();
    Answer stuck, next;
    client.ask(stuck, 1, find_number, 20ms);
    client.ask(next, 2, find_number, 4s);
    co_await client.answered(stuck, next);
    EXPECT_TRUE(next.is({2})) << next;
    EXPECT_EQ(server.open_sessions(), 3u)
        << "the first one, and the one that cancels it, are not over";
    server.play(log_in_and_prepare());  // the minimum is kept
    co_await client.until([&] { return server.sessions() == 6; });
    co_await client.stop();
    co_await server.stop();
  });
}

// As long as the query is wanted the connection is not given up.
TEST(Query, ASlowAnswerIsNoStall) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate gate(reactor);
    server.play(log_in_and_prepare() + Script{expect(ask_find(1)), pause(gate), send(answer(1)),
                                              expect(ask_find(2)), send(answer(2))});
    Client client(reactor, server, [](Options& options) { options.give_up_timeout = 20ms; });
    co_await client.connected();
    Answer slow, next;
    client.ask(slow, 1);
    co_await io::Sleep(reactor, 120ms, nullptr);
    EXPECT_FALSE(slow.done);
    gate.open();
    co_await client.answered(slow);
    EXPECT_TRUE(slow.is({1})) << slow;
    co_await client.run(next, 2);
    EXPECT_TRUE(next.is({2})) << next;
    EXPECT_EQ(client.observer.count("lost"), 0u);
    co_await client.stop();
    co_await server.stop();
  });
}

// The silence of a connection that was idle is no stall of the query that ended it.
TEST(Query, SilenceBeforeItWasAskedIsNoStall) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate gate(reactor);
    server.play(log_in_and_prepare() + Script{expect(ask_find(1)), pause(gate), send(answer(1)),
                                              expect(ask_find(2)), send(answer(2))});
    Client client(reactor, server, [](Options& options) { options.give_up_timeout = 600ms; });
    co_await client.connected();
    // Nothing has come for longer than that, as nothing was asked.
    co_await io::Sleep(reactor, 1100ms, nullptr);
    Answer given_up, next;
    co_await client.run(given_up, 1, find_number, 20ms);
    EXPECT_TRUE(given_up.failed(Error::Kind::timed_out)) << given_up;
    co_await io::Sleep(reactor, 150ms, nullptr);
    gate.open();
    co_await client.run(next, 2);
    EXPECT_TRUE(next.is({2})) << next;
    EXPECT_EQ(client.observer.count("lost"), 0u);
    co_await client.stop();
    co_await server.stop();
  });
}

}  // namespace
}  // namespace ringpost::pg
