// Who waits for a connection that may take the query, and who is refused.
#include <deque>

#include "tests/pg/answering.h"
#include "tests/pg/pool_client.h"

namespace ringpost::pg {
namespace {

using io::Reactor, io::Task;

TEST(Pool, ALineThatIsFullRefusesAtOnce) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate gate(reactor);
    server.play(serving_singly(gate));
    Client client(reactor, server, [](Options& options) {
      options.pipeline_depth = 1;
      options.most_waiting = 2;
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

}  // namespace
}  // namespace ringpost::pg
