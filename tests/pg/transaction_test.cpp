// A transaction from its beginning to its end, who waits for it meanwhile, and when it is begun
// anew.
#include "src/pg/transaction.h"

#include "tests/pg/transactions.h"

namespace ringpost::pg {
namespace {

using io::Reactor, io::Task;

TEST(Transaction, HasAConnectionForItselfAloneUntilItsCommit) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{expect(ask_begin), send(begun), expect(ask_add(7)),
                                              send(added(7)), expect(ask_commit), send(committed),
                                              expect(ask_find(1)), send(answer(1))});
    Client client(reactor, server);
    co_await client.connected();
    Transaction transaction(*client.pool, {reactor.now() + 3s});
    const Result<void> begun_now = co_await transaction.begin();
    EXPECT_TRUE(begun_now);
    Answer other;
    client.ask(other, 1);
    EXPECT_EQ(client.pool->waiting(), 1u);
    EXPECT_EQ(client.pool->open_connections(), 1u);
    auto adding = transaction.query(add_number, 7);
    auto rows = co_await adding;
    EXPECT_TRUE(rows);
    EXPECT_EQ(rows->next()->value, 7);
    EXPECT_EQ(rows->affected(), 1u);
    EXPECT_EQ(client.pool->waiting(), 1u);
    const Result<void> done_now = co_await transaction.commit();
    EXPECT_TRUE(done_now);
    co_await client.answered(other);
    EXPECT_TRUE(other.is({1})) << other;
    co_await client.stop();
    co_await server.stop();
  });
}

// What a session's beginning, an open transaction, would be a violation for is none here; behind it
// it is one again.
TEST(Transaction, TheNextQueryMayNotLeaveOneOpen) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{expect(ask_begin), send(begun), expect(ask_commit),
                                              send(committed), expect(ask_add(1)), send(added(1))});
    server.play(log_in_and_prepare());
    Client client(reactor, server);
    co_await client.connected();
    Transaction transaction(*client.pool, {reactor.now() + 3s});
    (void)co_await transaction.begin();
    (void)co_await transaction.commit();
    Answer open;
    co_await client.run(open, 1, add_number);
    EXPECT_TRUE(open.failed(Error::Kind::unavailable)) << open;
    EXPECT_EQ(client.observer.said[1],
              "lost 1: protocol violation: a message of type 'Z' out of place");
    const bool back = co_await client.until([&] { return server.sessions() == 2; });
    EXPECT_TRUE(back);
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Transaction, SaysToTheServerWhatItIsTo) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    const std::string begin =
        "C\0\0\0\x06S\0P\0\0\0\x3f\0BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE\0\0\0"
        "D\0\0\0\x06S\0B\0\0\0\x0e\0\0\0\0\0\0\0\1\0\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\4"s;
    server.play(log_in_and_prepare() +
                Script{expect(begin), send(begun), expect(ask_rollback), send(rolled_back)});
    Client client(reactor, server);
    co_await client.connected();
    Transaction transaction(
        *client.pool, {reactor.now() + 3s},
        {.isolation = Isolation::serializable, .read_only = true, .deferrable = true});
    const Result<void> begun_now = co_await transaction.begin();
    EXPECT_TRUE(begun_now);
    const Result<void> back = co_await transaction.rollback();
    EXPECT_TRUE(back);
    auto late = transaction.query(find_number, 1);
    const auto rows = co_await late;
    EXPECT_FALSE(rows);
    if (!rows) {
      EXPECT_EQ(rows.error().message(), "no connection to PostgreSQL: the lease has ended");
    }
    co_await client.stop();
    co_await server.stop();
  });
}

// Its connection still answers what was asked of it, and takes nothing more.
TEST(Transaction, WaitsForWhatIsInFlight) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate gate(reactor);
    server.play(log_in_and_prepare() + Script{expect(ask_find(1)), pause(gate), send(answer(1)),
                                              expect(ask_begin), send(begun), expect(ask_rollback),
                                              send(rolled_back), expect(ask_find(2)),
                                              send(answer(2))});
    Client client(reactor, server);
    co_await client.connected();
    Answer before, behind;
    client.ask(before, 1);
    bool has_begun = false;
    io::Scope scope(reactor);
    const auto transact = [&]() -> Task<void> {
      Transaction transaction(*client.pool, {reactor.now() + 3s});
      const Result<void> begun_now = co_await transaction.begin();
      EXPECT_TRUE(begun_now);
      has_begun = true;
    };  // whose end rolls back
    scope.spawn(transact());
    client.ask(behind, 2);
    co_await io::Sleep(reactor, 5ms, nullptr);
    EXPECT_FALSE(has_begun);
    EXPECT_EQ(client.pool->waiting(), 1u);
    gate.open();
    co_await client.answered(before, behind);
    EXPECT_TRUE(has_begun);
    EXPECT_TRUE(before.is({1})) << before;
    EXPECT_TRUE(behind.is({2})) << behind;
    co_await scope.join();
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Transaction, OneAfterTheOtherOnOneConnection) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{expect(ask_begin), send(begun), expect(ask_add(1)),
                                              send(added(1)), expect(ask_commit), send(committed),
                                              expect(ask_begin), send(begun), expect(ask_add(2)),
                                              send(added(2)), expect(ask_commit), send(committed)});
    Client client(reactor, server);
    co_await client.connected();
    io::Scope scope(reactor);
    int committed_ones = 0;
    const auto transact = [&](int32_t value) -> Task<void> {
      Transaction transaction(*client.pool, {reactor.now() + 3s});
      (void)co_await transaction.begin();
      auto adding = transaction.query(add_number, value);
      const auto rows = co_await adding;
      EXPECT_TRUE(rows);
      const Result<void> done_now = co_await transaction.commit();
      if (done_now) ++committed_ones;
    };
    scope.spawn(transact(1));
    scope.spawn(transact(2));
    co_await scope.join();
    EXPECT_EQ(committed_ones, 2);
    co_await client.stop();
    co_await server.stop();
  });
}

// The pool's queries have another connection, and as many transactions as there are connections
// leave one to them.
TEST(Transaction, LeavesAConnectionToQueries) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() +
                Script{expect(ask_begin), send(begun), expect(ask_rollback), send(rolled_back)});
    server.play(log_in_and_prepare() + Script{expect(ask_find(1)), send(answer(1))});
    Client client(reactor, server, [](Options& options) { options.max_connections = 2; });
    co_await client.connected();
    Transaction first(*client.pool, {reactor.now() + 3s}),
        second(*client.pool, {reactor.now() + 30ms});
    const Result<void> has_begun = co_await first.begin();
    EXPECT_TRUE(has_begun);
    Answer other;
    co_await client.run(other, 1);
    EXPECT_TRUE(other.is({1})) << other;
    const Result<void> refused = co_await second.begin();
    EXPECT_FALSE(refused);
    EXPECT_EQ(client.pool->open_connections(), 2u);
    (void)co_await first.rollback();
    co_await client.stop();
    co_await server.stop();
  });
}

// The commit of one whose statement has failed is a rollback, and no success.
TEST(Transaction, ThatHasFailedIsNotCommitted) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{expect(ask_begin), send(begun), expect(ask_add(1)),
                                              send(failed("23505")), expect(ask_commit),
                                              send(rolled_back)});
    Client client(reactor, server);
    co_await client.connected();
    Transaction transaction(*client.pool, {reactor.now() + 3s});
    (void)co_await transaction.begin();
    auto adding = transaction.query(add_number, 1);
    const auto rows = co_await adding;
    EXPECT_FALSE(rows);
    const Result<void> done_now = co_await transaction.commit();
    EXPECT_FALSE(done_now);
    if (!done_now) {
      EXPECT_EQ(done_now.error().kind, Error::Kind::rolled_back);
      EXPECT_FALSE(done_now.error().outage());
    }
    co_await client.stop();
    co_await server.stop();
  });
}

// A statement whose tables have changed can't be repeated by itself here; the next time it is
// prepared anew.
TEST(Transaction, AStaleStatementFailsItAndIsPreparedAnew) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    const std::string stale =
        error("ERROR", "0A000", "cached plan must not change result type", "RevalidateCachedQuery");
    server.play(log_in_and_prepare() + Script{expect(ask_begin), send(begun), expect(ask_find(1)),
                                              send(stale + in_failed), expect(ask_rollback),
                                              send(rolled_back), expect(prepare_find + ask_find(2)),
                                              send(prepared + answer(2))});
    Client client(reactor, server);
    co_await client.connected();
    Transaction transaction(*client.pool, {reactor.now() + 3s});
    (void)co_await transaction.begin();
    auto finding = transaction.query(find_number, 1);
    const auto rows = co_await finding;
    EXPECT_FALSE(rows);
    (void)co_await transaction.rollback();
    Answer next;
    co_await client.run(next, 2);
    EXPECT_TRUE(next.is({2})) << next;
    co_await client.stop();
    co_await server.stop();
  });
}

Task<Result<int32_t>> add_seven(Transaction& transaction) {
  auto adding = transaction.query(add_number, 7);
  auto rows = co_await adding;
  if (!rows) co_return std::unexpected(std::move(rows.error()));
  co_return rows->next()->value;
}

// At a statement of it or at its end; other errors are for its owner.
TEST(InTransaction, IsBegunAnewWhenItGaveWay) {
  for (const char* sqlstate : {"40001", "40P01"}) {
    run_on_reactor([&](Reactor& reactor) -> Task<void> {
      ScriptedPostgres server(reactor);
      server.listen();
      server.play(log_in_and_prepare() +
                  Script{expect(ask_begin), send(begun), expect(ask_add(7)), send(failed(sqlstate)),
                         expect(ask_rollback), send(rolled_back), expect(ask_begin), send(begun),
                         expect(ask_add(7)), send(added(7)), expect(ask_commit),
                         send(error("ERROR", sqlstate, "so it is") + ready), expect(ask_begin),
                         send(begun), expect(ask_add(7)), send(added(7)), expect(ask_commit),
                         send(committed)});
      Client client(reactor, server);
      co_await client.connected();
      const Result<int32_t> value =
          co_await in_transaction(*client.pool, {reactor.now() + 3s}, {}, add_seven);
      EXPECT_TRUE(value && *value == 7) << (value ? "" : value.error().message());
      co_await client.stop();
      co_await server.stop();
    });
  }
}

TEST(InTransaction, OtherErrorsAndTheLastAttemptsAreItsOwners) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{expect(ask_begin), send(begun), expect(ask_add(7)),
                                              send(failed("23505")), expect(ask_rollback),
                                              send(rolled_back), expect(ask_begin), send(begun),
                                              expect(ask_add(7)), send(failed("40001")),
                                              expect(ask_rollback), send(rolled_back)});
    Client client(reactor, server);
    co_await client.connected();
    const Result<int32_t> twice =
        co_await in_transaction(*client.pool, {reactor.now() + 3s}, {}, add_seven);
    EXPECT_FALSE(twice);
    if (!twice) {
      EXPECT_EQ(twice.error().server->sqlstate, "23505");
    }
    const Result<int32_t> once =
        co_await in_transaction(*client.pool, {reactor.now() + 3s}, {.attempts = 1}, add_seven);
    EXPECT_FALSE(once);
    if (!once) {
      EXPECT_EQ(once.error().server->sqlstate, "40001");
    }
    co_await client.stop();
    co_await server.stop();
  });
}

}  // namespace
}  // namespace ringpost::pg
