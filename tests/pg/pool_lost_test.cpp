// What a pool does when a connection ends: who takes what was asked on it, and which come back.
#include "tests/pg/pool_client.h"

namespace ringpost::pg {
namespace {

using io::Reactor, io::Task;

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
      options.pipeline_depth = 1;
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

// One that ends each session that it is asked in fails, and those behind it are answered.
TEST(Pool, OnlyWhatWasToBeAnsweredNextIsSuspect) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() +
                Script{expect(ask_find(1) + ask_find(2) + ask_find(3)), close_session()});
    server.play(log_in_and_prepare() +
                Script{expect(ask_find(1) + ask_find(2) + ask_find(3)), close_session()});
    server.play(log_in_and_prepare() +
                Script{expect(ask_find(2) + ask_find(3)), send(answer(2)), close_session()});
    server.play(log_in_and_prepare() + Script{expect(ask_find(3)), send(answer(3))});
    Client client(reactor, server);
    co_await client.connected();
    Answer one, two, three;
    client.ask(one, 1);
    client.ask(two, 2);
    client.ask(three, 3);
    co_await client.answered(one, two, three);
    EXPECT_TRUE(one.failed(Error::Kind::unavailable)) << one;
    EXPECT_EQ(one.error->detail, "the connection was lost after the query was sent");
    EXPECT_TRUE(two.is({2})) << two;
    EXPECT_TRUE(three.is({3})) << three;
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

}  // namespace
}  // namespace ringpost::pg
