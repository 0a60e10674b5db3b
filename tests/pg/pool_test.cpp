// How many connections there are, which one a query goes to, and who waits.
#include "src/pg/pool.h"

#include <deque>

#include "tests/pg/pool_client.h"

namespace ringpost::pg {
namespace {

using io::Reactor, io::Task;

// Answers each query that comes with its own parameter, when the gate is open.
tests::Step answer_everything(Gate& gate) {
  return [&gate](tests::PgSession& session) -> Task<bool> {
    for (;;) {
      const std::string bind = co_await session.message(true);
      if (bind.empty() || bind == terminate) {
        session.close();
        co_return false;
      }
      const std::string execute = co_await session.message(true);
      const std::string closing = co_await session.message(true);
      if (bind[0] != 'B' || closing != sync) {
        session.complain("came " + printable(bind + execute + closing));
        co_return false;
      }
      bool going = co_await session.pause(gate);
      if (going) going = co_await session.send(answer(bind[bind.size() - 5]), 4096);
      if (!going) co_return false;
    }
  };
}

Script serving(Gate& gate) {
  return log_in_and_prepare() + Script{answer_everything(gate)};
}
Script serving_singly(Gate& gate) {
  return log_in_and_prepare_singly() + Script{answer_everything(gate)};
}

TEST(Pool, KeepsItsMinimumAndNoMore) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    for (int i = 0; i < 2; ++i) server.play(log_in_and_prepare());
    Client client(reactor, server, [](Options& options) {
      options.min_connections = 2;
      options.max_connections = 4;
    });
    const bool both = co_await client.until([&] { return client.pool->open_connections() == 2; });
    EXPECT_TRUE(both);
    co_await io::Sleep(reactor, 20ms, nullptr);
    EXPECT_EQ(server.sessions(), 2u);
    co_await client.stop();
    EXPECT_EQ(client.pool->open_connections(), 0u);
    co_await server.stop();
  });
}

TEST(Pool, WithoutAMinimumConnectsWhenItIsAsked) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Client client(reactor, server, [](Options& options) { options.min_connections = 0; });
    co_await io::Sleep(reactor, 20ms, nullptr);
    EXPECT_EQ(server.sessions(), 0u);
    server.play(log_in_and_prepare() + Script{expect(ask_find(5)), send(answer(7))});
    Answer answer;
    co_await client.run(answer, 5);
    EXPECT_TRUE(answer.is({7})) << answer;
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Pool, OpensUnderLoadUpToItsMaximum) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate gate(reactor);
    for (int i = 0; i < 3; ++i) server.play(serving_singly(gate));
    Client client(reactor, server, [](Options& options) {
      options.max_connections = 3;
      options.pipeline_depth = 1;
      options.packing_depth = 1;
    });
    co_await client.connected();
    std::deque<Answer> answers(8);
    for (size_t i = 0; i < answers.size(); ++i) client.ask(answers[i], static_cast<int32_t>(i));
    const bool all = co_await client.until(
        [&] { return client.pool->open_connections() == 3 && client.pool->waiting() == 5; });
    EXPECT_TRUE(all) << client.pool->open_connections() << " open, " << client.pool->waiting()
                     << " wait";
    co_await io::Sleep(reactor, 20ms, nullptr);
    EXPECT_EQ(server.sessions(), 3u);
    gate.open();
    for (size_t i = 0; i < answers.size(); ++i) {
      co_await client.answered(answers[i]);
      EXPECT_TRUE(answers[i].is({static_cast<int32_t>(i)})) << i << answers[i];
    }
    EXPECT_EQ(server.sessions(), 3u);
    EXPECT_EQ(client.pool->open_connections(), 3u);
    co_await client.stop();
    co_await server.stop();
  });
}

// Deep pipelines on few connections: a second one is opened only past the packing depth.
TEST(Pool, PacksBeforeItSpreads) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate gate(reactor);
    server.play(serving(gate));
    Client client(reactor, server, [](Options& options) {
      options.max_connections = 4;
      options.packing_depth = 4;
    });
    co_await client.connected();
    std::deque<Answer> packed(4);
    for (Answer& each : packed) client.ask(each, 1);
    co_await io::Sleep(reactor, 20ms, nullptr);
    EXPECT_EQ(server.sessions(), 1u);
    // One more goes to the same connection, and another is opened for those to come.
    server.play(serving(gate));
    Answer fifth, sixth;
    client.ask(fifth, 5);
    const bool second = co_await client.until([&] { return client.pool->open_connections() == 2; });
    EXPECT_TRUE(second);
    client.ask(sixth, 6);
    gate.open();
    co_await client.answered(fifth, sixth);
    EXPECT_TRUE(fifth.is({5})) << fifth;
    EXPECT_TRUE(sixth.is({6})) << sixth;
    for (const Answer& each : packed) {
      co_await client.answered(each);
      EXPECT_TRUE(each.is({1})) << each;
    }
    EXPECT_EQ(server.sessions(), 2u);
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Pool, ALineThatIsFullRefusesAtOnce) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate gate(reactor);
    server.play(serving_singly(gate));
    Client client(reactor, server, [](Options& options) {
      options.pipeline_depth = 1;
      options.waiting = 2;
    });
    co_await client.connected();
    Answer in_flight, first, second, refused, next;
    client.ask(in_flight, 1);
    client.ask(first, 2);
    client.ask(second, 3);
    co_await client.run(refused, 4);
    EXPECT_TRUE(refused.failed(Error::Kind::overloaded)) << refused;
    EXPECT_EQ(refused.error->message(), "too many queries wait for a connection");
    EXPECT_TRUE(refused.error->outage());
    EXPECT_LT(refused.took, 1s);
    gate.open();
    co_await client.answered(in_flight, first, second);
    EXPECT_TRUE(in_flight.is({1}) && first.is({2}) && second.is({3}))
        << in_flight << first << second;
    co_await client.run(next, 5);
    EXPECT_TRUE(next.is({5})) << next;
    EXPECT_EQ(client.pool->waiting(), 0u);
    co_await client.stop();
    co_await server.stop();
  });
}

// What takes long waits where it can still be given up.
TEST(Pool, AConnectionTakesNoMoreThanItCanAnswerInTime) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate gate(reactor);
    std::string asked, answered;
    for (int i = 0; i < 10; ++i) {
      asked += ask_find(static_cast<char>(i));
      answered += answer(static_cast<char>(i));
    }
    server.play(log_in_and_prepare() + Script{expect(asked), pause(gate), send(answered),
                                              expect(ask_find(11)), send(answer(11))});
    Client client(reactor, server, [](Options& options) { options.pipeline_time = 1ms; });
    co_await client.connected();
    // Each is taken to cost 0.1 ms before any has been executed.
    std::deque<Answer> answers(10);
    for (size_t i = 0; i < answers.size(); ++i) client.ask(answers[i], static_cast<int32_t>(i));
    Answer given_up, last;
    client.ask(given_up, 10, find_number, 30ms);
    client.ask(last, 11);
    EXPECT_EQ(client.pool->waiting(), 2u);
    co_await client.answered(given_up);
    EXPECT_TRUE(given_up.failed(Error::Kind::unavailable)) << given_up;
    gate.open();
    for (size_t i = 0; i < answers.size(); ++i) {
      co_await client.answered(answers[i]);
      EXPECT_TRUE(answers[i].is({static_cast<int32_t>(i)})) << i << answers[i];
    }
    co_await client.answered(last);
    EXPECT_TRUE(last.is({11})) << last;
    co_await client.stop();
    co_await server.stop();
  });
}

// However long a query takes: an idle connection has nothing better to do.
TEST(Pool, AnIdleConnectionTakesAnyQuery) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{expect(ask_find(1)), send(answer(1)),
                                              expect(ask_find(2)), send(answer(2)),
                                              expect(ask_find(3)), send(answer(3))});
    Client client(reactor, server, [](Options& options) { options.pipeline_time = 0us; });
    co_await client.connected();
    Answer one, two, three;
    client.ask(one, 1);
    client.ask(two, 2);
    client.ask(three, 3);
    EXPECT_EQ(client.pool->waiting(), 2u);
    co_await client.answered(one, two, three);
    EXPECT_TRUE(one.is({1}) && two.is({2}) && three.is({3})) << one << two << three;
    co_await client.stop();
    co_await server.stop();
  });
}

// One query at a time, each with some time of its own, until the client leaves.
tests::Step answer_slowly(std::chrono::milliseconds each) {
  return [each](tests::PgSession& session) -> Task<bool> {
    for (;;) {
      const std::string bind = co_await session.message(true);
      if (bind.empty() || bind == terminate) {
        session.close();
        co_return false;
      }
      const std::string execute = co_await session.message(true);
      const std::string closing = co_await session.message(true);
      if (closing.empty()) co_return false;
      co_await io::Sleep(session.reactor(), each, nullptr);
      const bool going = co_await session.send(answer(bind[bind.size() - 5]), 4096);
      if (!going) co_return false;
    }
  };
}

// Who would be answered too late hears so at once, and the others are answered.
TEST(Pool, ABurstBeyondCapacityIsRefusedAtOnce) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare_singly() + Script{answer_slowly(5ms)});
    Client client(reactor, server, [](Options& options) { options.pipeline_depth = 1; });
    co_await client.connected();
    // Nothing is known of its rate yet: all are let in.
    std::deque<Answer> first(40), burst(400);
    for (Answer& each : first) client.ask(each, 1);
    EXPECT_EQ(client.pool->waiting(), 39u);
    co_await client.answered(first[30]);
    for (Answer& each : burst) client.ask(each, 2, find_number, 1s);
    const size_t let_in = client.pool->waiting();
    EXPECT_GT(let_in, 20u) << "at 200 a second 100 are answered within half of the deadline";
    EXPECT_LT(let_in, 150u);
    for (const Answer& each : burst) co_await client.answered(each);
    size_t answered = 0, refused = 0;
    for (const Answer& each : burst) {
      if (each.is({2})) {
        ++answered;
        continue;
      }
      EXPECT_TRUE(each.failed(Error::Kind::overloaded)) << each;
      EXPECT_LT(each.took, 200ms);
      ++refused;
    }
    EXPECT_GT(refused, 200u);
    EXPECT_GT(answered, 20u);
    // When the line is empty again, all is as before.
    Answer next;
    co_await client.run(next, 3);
    EXPECT_TRUE(next.is({3})) << next;
    co_await client.stop();
    co_await server.stop();
  });
}

// When there is no connection, how fast it answered says nothing: one may come any moment.
TEST(Pool, WithoutAConnectionWhoAsksWaits) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate leaving(reactor);
    const tests::Step answer_some = [](tests::PgSession& session) -> Task<bool> {
      for (int i = 0; i < 15; ++i) {
        for (int part = 0; part < 3; ++part) {
          const std::string each = co_await session.message(true);
          if (each.empty()) co_return false;
        }
        co_await io::Sleep(session.reactor(), 8ms, nullptr);
        const bool going = co_await session.send(answer(1), 4096);
        if (!going) co_return false;
      }
      co_return true;
    };
    server.play(log_in_and_prepare_singly() + Script{answer_some, close_session()});
    server.play({never_answer()});
    Client client(reactor, server, [](Options& options) { options.pipeline_depth = 1; });
    co_await client.connected();
    std::deque<Answer> first(17), later(100);
    for (Answer& each : first) client.ask(each, 1, find_number, 400ms);
    const bool lost = co_await client.until([&] { return client.observer.count("lost") == 1; });
    EXPECT_TRUE(lost);
    const size_t before = client.pool->waiting();
    for (Answer& each : later) client.ask(each, 2, find_number, 100ms);
    EXPECT_EQ(client.pool->waiting(), before + 100);
    for (const Answer& each : later) {
      co_await client.answered(each);
      EXPECT_TRUE(each.failed(Error::Kind::unavailable)) << each;
    }
    for (const Answer& each : first) co_await client.answered(each);
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Pool, WhoWaitsIsServedInOrder) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{expect(ask_find(1) + ask_find(2)), send(answer(1)),
                                              expect(ask_find(3)), send(answer(2) + answer(3)),
                                              expect(ask_find(4) + ask_find(5)),
                                              send(answer(4) + answer(5))});
    Client client(reactor, server, [](Options& options) { options.pipeline_depth = 2; });
    // Asked before there is a connection.
    std::deque<Answer> answers(5);
    for (size_t i = 0; i < answers.size(); ++i) client.ask(answers[i], static_cast<int32_t>(i + 1));
    EXPECT_EQ(client.pool->waiting(), 5u);
    for (size_t i = 0; i < answers.size(); ++i) {
      co_await client.answered(answers[i]);
      EXPECT_TRUE(answers[i].is({static_cast<int32_t>(i + 1)})) << i << answers[i];
    }
    co_await client.stop();
    co_await server.stop();
  });
}

// A coroutine that has its answer asks the next question inside of the same call.
TEST(Pool, AsksAgainFromInsideAnAnswer) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() +
                Script{expect(ask_find(1) + ask_find(1)), send(answer(11) + answer(12)),
                       expect(ask_find(2) + ask_find(2)), send(answer(21) + answer(22)),
                       expect(ask_find(3) + ask_find(3)), send(answer(31) + answer(32))});
    Client client(reactor, server, [](Options& options) { options.pipeline_depth = 2; });
    co_await client.connected();
    io::Scope scope(reactor);
    std::deque<Answer> answers(6);
    const auto chain = [](Client& asking, std::deque<Answer>& into, size_t who) -> Task<void> {
      for (size_t i = 0; i < 3; ++i)
        co_await asking.run(into[2 * i + who], static_cast<int32_t>(i + 1));
    };
    scope.spawn(chain(client, answers, 0));
    scope.spawn(chain(client, answers, 1));
    co_await scope.join();
    for (size_t i = 0; i < answers.size(); ++i)
      EXPECT_TRUE(answers[i].is({static_cast<int32_t>(10 * (i / 2 + 1) + i % 2 + 1)}))
          << answers[i];
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Pool, OneConnectionThatIsLostDoesNotTouchTheOther) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate ending(reactor), answering(reactor);
    server.play(log_in_and_prepare_singly() +
                Script{expect(ask_add(1)), pause(ending), close_session()});
    server.play(log_in_and_prepare_singly() +
                Script{expect(ask_find(2)), pause(answering), send(answer(2))});
    server.play(log_in_and_prepare_singly());  // the minimum is kept
    Client client(reactor, server, [](Options& options) {
      options.min_connections = options.max_connections = 2;
      options.pipeline_depth = options.packing_depth = 1;
    });
    const bool both = co_await client.until([&] { return client.pool->open_connections() == 2; });
    EXPECT_TRUE(both);
    Answer adding, finding;
    client.ask(adding, 1, add_number);
    client.ask(finding, 2);
    co_await io::Sleep(reactor, 5ms, nullptr);
    ending.open();
    co_await client.answered(adding);
    EXPECT_TRUE(adding.failed(Error::Kind::unavailable)) << adding;
    EXPECT_FALSE(finding.done);
    answering.open();
    co_await client.answered(finding);
    EXPECT_TRUE(finding.is({2})) << finding;
    const bool again =
        co_await client.until([&] { return client.observer.count("connected") == 3; });
    EXPECT_TRUE(again);
    EXPECT_EQ(client.observer.count("lost"), 1u);
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Pool, AReadIsAskedAgainOnAConnectionThatIsThere) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{expect(ask_find(1)), close_session()});
    server.play(log_in_and_prepare() + Script{expect(ask_find(1)), send(answer(1))});
    Client client(reactor, server, [](Options& options) {
      options.min_connections = options.max_connections = 2;
      options.connect_timeout = 4s;
    });
    const bool both = co_await client.until([&] { return client.pool->open_connections() == 2; });
    EXPECT_TRUE(both);
    server.play({never_answer()});  // the lost one does not come back
    Answer answer;
    co_await client.run(answer, 1);
    EXPECT_TRUE(answer.is({1})) << answer;
    EXPECT_LT(answer.took, 1s);
    const bool third = co_await client.until([&] { return server.sessions() == 3; });
    EXPECT_TRUE(third);
    co_await client.stop();
    co_await server.stop();
  });
}

// Connections above the minimum come back only when there is work for them.
TEST(Pool, ALostConnectionAboveTheMinimumStaysAway) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate ending(reactor);
    server.play(log_in_and_prepare() +
                Script{expect(ask_find(5)), send(answer(7)), pause(ending), close_session()});
    Client client(reactor, server, [](Options& options) { options.min_connections = 0; });
    Answer one, two;
    co_await client.run(one, 5);
    EXPECT_TRUE(one.is({7})) << one;
    ending.open();
    const bool lost = co_await client.until([&] { return client.observer.count("lost") == 1; });
    EXPECT_TRUE(lost);
    co_await io::Sleep(reactor, 20ms, nullptr);
    EXPECT_EQ(server.sessions(), 1u);
    server.play(log_in_and_prepare() + Script{expect(ask_find(6)), send(answer(8))});
    co_await client.run(two, 6);
    EXPECT_TRUE(two.is({8})) << two;
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Pool, ComesBackWithTheServer) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate shutdown(reactor);
    const std::string ends = error("FATAL", "57P01", "terminating connection"),
                      starting = error("FATAL", "57P03", "the database system is starting up");
    server.play(log_in_and_prepare() + Script{pause(shutdown), send(ends), close_session()});
    for (int i = 0; i < 4; ++i)
      server.play({expect(startup_message), send(starting), close_session()});
    server.play(log_in_and_prepare() + Script{expect(ask_find(5)), send(answer(7))});
    Client client(reactor, server);
    co_await client.connected();
    shutdown.open();
    const bool lost = co_await client.until([&] { return client.observer.count("lost") == 1; });
    EXPECT_TRUE(lost);
    Answer answer;
    co_await client.run(answer, 5);
    EXPECT_TRUE(answer.is({7})) << answer;
    EXPECT_EQ(client.observer.said,
              (std::vector{"connected 16.3"s, "lost 0: FATAL 57P01: terminating connection"s,
                           "connect_failed no connection to PostgreSQL: " + server.host().text() +
                               ": FATAL 57P03: the database system is starting up",
                           "connected 16.3"s}));
    EXPECT_EQ(client.pool->trouble(), "");
    co_await client.stop();
    co_await server.stop();
  });
}

// The whole depth of a pipeline, its answers in one piece and across many receive buffers.
TEST(Pool, ADeepPipelineKeepsItsOrder) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    std::string asked, answered;
    for (int i = 0; i < 256; ++i) {
      asked += ask_find(static_cast<char>(i));
      answered += answer(static_cast<char>(i));
    }
    server.play(log_in_and_prepare() + Script{expect(asked), send(answered), expect(asked),
                                              send_in_pieces(answered, 333)});
    Client client(reactor, server);
    co_await client.connected();
    for (int round = 0; round < 2; ++round) {
      std::deque<Answer> answers(256);
      for (size_t i = 0; i < 256; ++i) client.ask(answers[i], static_cast<int32_t>(i));
      for (size_t i = 0; i < 256; ++i) {
        co_await client.answered(answers[i]);
        EXPECT_TRUE(answers[i].is({static_cast<int32_t>(i)})) << i << answers[i];
      }
    }
    co_await client.stop();
    co_await server.stop();
  });
}

}  // namespace
}  // namespace ringpost::pg
