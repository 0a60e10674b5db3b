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
    EXPECT_TRUE(first.is({7})) << ::testing::PrintToString(first);
    co_await client.run(second, 6, add_number);
    EXPECT_TRUE(second.is({6})) << ::testing::PrintToString(second);
    EXPECT_EQ(client.observer.said, std::vector{"connected 16.3"s});
    co_await client.stop();
    co_await server.stop();
  });
}

}  // namespace
}  // namespace ringpost::pg
