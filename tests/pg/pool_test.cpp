// How many connections there are, and which one a query goes to.
#include "src/pg/pool.h"

#include <deque>

#include "tests/pg/answering.h"
#include "tests/pg/pool_client.h"

namespace ringpost::pg {
namespace {

using io::Reactor, io::Task;

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

// Quick ones have one connection, until it is found that a second one helps.
TEST(Pool, KeepsQuickQueriesTogether) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate gate(reactor);
    server.play(serving(gate));
    Client client(reactor, server, [](Options& options) { options.max_connections = 4; });
    co_await client.connected();
    std::deque<Answer> answers(100);
    for (size_t i = 0; i < answers.size(); ++i) client.ask(answers[i], static_cast<int32_t>(i));
    gate.open();
    for (size_t i = 0; i < answers.size(); ++i) {
      co_await client.answered(answers[i]);
      EXPECT_TRUE(answers[i].is({static_cast<int32_t>(i)})) << i << answers[i];
    }
    EXPECT_EQ(server.sessions(), 1u);
    co_await client.stop();
    co_await server.stop();
  });
}

// Each slow one has a connection of its own, and the quick ones keep theirs.
TEST(Pool, KeepsSlowQueriesApart) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    const Script slow = log_in_and_prepare() + Script{answer_slowly(20ms)};
    for (int i = 0; i < 3; ++i) server.play(slow);
    Client client(reactor, server, [](Options& options) { options.max_connections = 3; });
    co_await client.connected();
    for (int i = 0; i < 60; ++i) {  // what find takes is learnt
      Answer alone;
      co_await client.run(alone, 1);
    }
    std::deque<Answer> answers(6);
    for (Answer& each : answers) client.ask(each, 2);
    for (const Answer& each : answers) {
      co_await client.answered(each);
      EXPECT_TRUE(each.is({2})) << each;
    }
    EXPECT_EQ(server.sessions(), 3u);
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
    scope.spawn(client.ask_in_turn(answers, 0, 2));
    scope.spawn(client.ask_in_turn(answers, 1, 2));
    co_await scope.join();
    for (size_t i = 0; i < answers.size(); ++i)
      EXPECT_TRUE(answers[i].is({static_cast<int32_t>(10 * (i / 2 + 1) + i % 2 + 1)}))
          << answers[i];
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
