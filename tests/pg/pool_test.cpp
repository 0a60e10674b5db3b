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
