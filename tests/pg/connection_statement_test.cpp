// Statements that the server describes otherwise than they are declared, or not yet.
#include "tests/pg/pool_client.h"

namespace ringpost::pg {
namespace {

using io::Reactor, io::Task;

TEST(Connection, ADeclarationThatTheServerContradicts) {
  const std::string other_column =
      "3\0\0\0\4"
      "1\0\0\0\4"
      "t\0\0\0\x0a\0\1\0\0\0\x17"
      "T\0\0\0\x1a\0\1n\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\1"s;
  run_on_reactor([&](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in() + Script{expect(prepare_find + sync + prepare_add + sync),
                                  send(other_column + ready + prepared + ready),
                                  expect(prepare_find + ask_find(1)),
                                  send(other_column + answer(1)), expect(ask_add(2)),
                                  send(answer(2)),
                                  // The table was altered meanwhile.
                                  expect(prepare_find + ask_find(3)), send(prepared + answer(3)),
                                  expect(ask_find(4)), send(answer(4))});
    Client client(reactor, server);
    Answer one, two, three, four;
    co_await client.run(one, 1);
    const std::string difference =
        "statement find_number: column 1 'n' is text, the program reads int4";
    EXPECT_TRUE(one.failed(Error::Kind::mismatch)) << one;
    EXPECT_EQ(one.error->message(), difference);
    EXPECT_FALSE(one.error->outage());
    EXPECT_EQ(client.observer.said,
              (std::vector{"statement_failed find_number: " + difference, "connected 16.3"s}));
    co_await client.run(two, 2, add_number);
    EXPECT_TRUE(two.is({2})) << two;
    co_await client.run(three, 3);
    EXPECT_TRUE(three.is({3})) << three;
    co_await client.run(four, 4);
    EXPECT_TRUE(four.is({4})) << four;
    co_await client.stop();
    co_await server.stop();
  });
}

// The table is made after the program has started.
TEST(Connection, AStatementThatCannotBePreparedYet) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    const std::string missing = error("ERROR", "42P01", "relation \"numbers\" does not exist");
    server.play(log_in() + Script{expect(prepare_find + sync + prepare_add + sync),
                                  send(prepared.substr(0, 5) + missing + ready + prepared + ready),
                                  expect(prepare_find + ask_find(1)),
                                  send(prepared.substr(0, 5) + missing + ready),
                                  expect(prepare_find + ask_find(2)), send(prepared + answer(2))});
    Client client(reactor, server);
    Answer one, two;
    co_await client.run(one, 1);
    EXPECT_TRUE(one.failed(Error::Kind::server)) << one;
    EXPECT_EQ(one.error->message(), "ERROR 42P01: relation \"numbers\" does not exist");
    co_await client.run(two, 2);
    EXPECT_TRUE(two.is({2})) << two;
    EXPECT_EQ(client.observer.said,
              (std::vector{"statement_failed find_number: ERROR 42P01: relation \"numbers\" does "
                           "not exist"s,
                           "connected 16.3"s}));
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Connection, ADescriptionAboveTheLimit) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() +
                Script{expect(prepare_find + ask_find(1)), send(prepared + answer(1))});
    Client client(reactor, server, [](Options& options) { options.answer_bytes = 30; });
    Answer one;
    co_await client.run(one, 1);
    EXPECT_TRUE(one.failed(Error::Kind::too_large)) << one;
    EXPECT_EQ(client.observer.said,
              (std::vector{"statement_failed find_number: its description is larger than 30 bytes"s,
                           "statement_failed add_number: its description is larger than 30 bytes"s,
                           "connected 16.3"s}));
    co_await client.stop();
    co_await server.stop();
  });
}

}  // namespace
}  // namespace ringpost::pg
