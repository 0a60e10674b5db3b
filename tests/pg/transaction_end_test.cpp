// How a transaction ends that is not committed: left, out of time, cancelled, its server gone; at
// each place where it waits. What is left of it on the session, and who has the connection next.
#include "src/pg/transaction.h"
#include "tests/pg/transactions.h"

namespace ringpost::pg {
namespace {

using io::Cancellation, io::Reactor, io::Task;

TEST(Transaction, ThatIsLeftIsRolledBackBeforeTheNextQuery) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{expect(ask_begin), send(begun), expect(ask_add(1)),
                                              send(failed("23505")), expect(ask_rollback),
                                              send(rolled_back), expect(ask_find(2)),
                                              send(answer(2))});
    Client client(reactor, server);
    co_await client.connected();
    Answer next;
    {
      Transaction transaction(*client.pool, {reactor.now() + 3s});
      (void)co_await transaction.begin();
      auto adding = transaction.query(add_number, 1);
      const auto rows = co_await adding;
      EXPECT_FALSE(rows);
      client.ask(next, 2);
    }
    EXPECT_EQ(client.pool->waiting(), 1u) << "until it is known that no transaction is open";
    co_await client.answered(next);
    EXPECT_TRUE(next.is({2})) << next;
    EXPECT_EQ(client.observer.count("lost"), 0u);
    co_await client.stop();
    co_await server.stop();
  });
}

// A rollback that does not end the transaction ends the session.
TEST(Transaction, ThatCantBeRolledBackEndsItsSession) {
  const std::string answers[] = {done +
                                     "C\0\0\0\x0d"
                                     "ROLLBACK\0"s +
                                     in_transaction_now,
                                 failed("25P02")};
  for (const std::string& answering : answers) {
    run_on_reactor([&](Reactor& reactor) -> Task<void> {
      ScriptedPostgres server(reactor);
      server.listen();
      server.play(log_in_and_prepare() +
                  Script{expect(ask_begin), send(begun), expect(ask_rollback), send(answering)});
      server.play(log_in_and_prepare() + Script{expect(ask_find(2)), send(answer(2))});
      Client client(reactor, server);
      co_await client.connected();
      {
        Transaction transaction(*client.pool, {reactor.now() + 3s});
        (void)co_await transaction.begin();
      }
      Answer next;
      co_await client.run(next, 2);
      EXPECT_TRUE(next.is({2})) << next;
      EXPECT_EQ(client.observer.said[1], "lost 0: a transaction can't be rolled back");
      co_await client.stop();
      co_await server.stop();
    });
  }
}

// Wherever it waits: the server is told to stop, as it would keep the locks, and the session is
// closed.
TEST(Transaction, AStatementThatIsGivenUpIsCancelledAndItsSessionClosed) {
  enum class By { deadline, cancellation };
  const Script places[] = {
      {expect(ask_begin)},
      {expect(ask_begin), send(begun), expect(ask_add(1))},
      {expect(ask_begin), send(begun), expect(ask_add(1)), send(bound + row(1))},
      {expect(ask_begin), send(begun), expect(ask_add(1)), send(added(1)), expect(ask_commit)}};
  for (const By by : {By::deadline, By::cancellation}) {
    for (const Script& place : places) {
      run_on_reactor([&](Reactor& reactor) -> Task<void> {
        ScriptedPostgres server(reactor);
        server.listen();
        server.play(log_in_and_prepare() + place + Script{expect(terminate), close_session()});
        server.play({expect(cancel_request), close_session()});
        server.play(log_in_and_prepare() + Script{expect(ask_find(2)), send(answer(2))});
        Client client(reactor, server);
        co_await client.connected();
        Cancellation cancellation;
        io::Scope scope(reactor);
        std::vector<Error::Kind> kinds;
        const auto transact = [&]() -> Task<void> {
          const io::Time deadline = reactor.now() + (by == By::deadline ? 30ms : 3s);
          Transaction transaction(*client.pool, {deadline, &cancellation});
          Result<void> outcome = co_await transaction.begin();
          if (outcome) {
            auto adding = transaction.query(add_number, 1);
            const auto rows = co_await adding;
            if (!rows) kinds.push_back(rows.error().kind);
            outcome = co_await transaction.commit();
          }
          if (!outcome) kinds.push_back(outcome.error().kind);
        };
        scope.spawn(transact());
        if (by == By::cancellation) {
          co_await io::Sleep(reactor, 10ms, nullptr);
          cancellation.request();
        }
        co_await scope.join();
        EXPECT_FALSE(kinds.empty());
        if (!kinds.empty()) {
          EXPECT_EQ(kinds[0], by == By::deadline ? Error::Kind::timed_out : Error::Kind::cancelled);
        }
        const bool in_statement = &place == &places[1] || &place == &places[2];
        EXPECT_EQ(kinds.size(), in_statement ? 2u : 1u) << "nothing is committed behind it";
        Answer next;
        co_await client.run(next, 2);
        EXPECT_TRUE(next.is({2})) << next;
        EXPECT_EQ(client.observer.said[1], "lost 1: a transaction was given up while it worked");
        co_await client.stop();
        co_await server.stop();
      });
    }
  }
}

// Also when its owner does something else meanwhile: its locks are not held beyond.
TEST(Transaction, ItsDeadlineRollsItBackBetweenStatements) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{expect(ask_begin), send(begun), expect(ask_rollback),
                                              send(rolled_back), expect(ask_find(2)),
                                              send(answer(2))});
    Client client(reactor, server);
    co_await client.connected();
    Transaction transaction(*client.pool, {reactor.now() + 30ms});
    const Result<void> has_begun = co_await transaction.begin();
    EXPECT_TRUE(has_begun);
    Answer next;
    co_await client.run(next, 2);
    EXPECT_TRUE(next.is({2})) << next;
    EXPECT_GE(next.took, 25ms);
    const Result<void> late = co_await transaction.commit();
    EXPECT_FALSE(late);
    if (!late) {
      EXPECT_EQ(late.error().kind, Error::Kind::timed_out);
    }
    co_await client.stop();
    co_await server.stop();
  });
}

// In line and while its connection still answers others: what is given up takes nothing with it.
TEST(Transaction, GivenUpBeforeItHasAConnection) {
  for (const bool in_time : {true, false}) {
    run_on_reactor([in_time](Reactor& reactor) -> Task<void> {
      ScriptedPostgres server(reactor);
      server.listen();
      Gate gate(reactor);
      server.play(log_in_and_prepare() + Script{expect(ask_find(1)), pause(gate), send(answer(1)),
                                                expect(ask_find(2)), send(answer(2))});
      Client client(reactor, server);
      co_await client.connected();
      Answer before, behind;
      client.ask(before, 1);
      Cancellation cancellation;
      io::Scope scope(reactor);
      std::vector<Error::Kind> kinds;
      const auto transact = [&]() -> Task<void> {
        Transaction transaction(*client.pool,
                                {reactor.now() + (in_time ? 3s : 30ms), &cancellation});
        const Result<void> has_begun = co_await transaction.begin();
        if (!has_begun) kinds.push_back(has_begun.error().kind);
      };
      scope.spawn(transact());  // is promised the one connection
      scope.spawn(transact());  // is in line
      co_await io::Sleep(reactor, 5ms, nullptr);
      EXPECT_TRUE(kinds.empty());
      if (in_time) cancellation.request();
      co_await scope.join();
      const Error::Kind kind = in_time ? Error::Kind::cancelled : Error::Kind::unavailable;
      EXPECT_EQ(kinds, (std::vector{kind, kind}));
      gate.open();
      co_await client.answered(before);
      EXPECT_TRUE(before.is({1})) << before;
      co_await client.run(behind, 2);
      EXPECT_TRUE(behind.is({2})) << behind;
      co_await client.stop();
      co_await server.stop();
    });
  }
}

// Wherever it waits. Nothing of it is asked again on the next session, no read either.
TEST(Transaction, TheServerIsGone) {
  const Script places[] = {
      {expect(ask_begin), close_session()},
      {expect(ask_begin), send(begun), expect(ask_find(1)), close_session()},
      {expect(ask_begin), send(begun), expect(ask_find(1)), send(bound + row(1)), close_session()},
      {expect(ask_begin), send(begun), expect(ask_find(1)),
       send(bound + row(1) + selected + in_transaction_now), expect(ask_commit), close_session()}};
  for (const Script& place : places) {
    run_on_reactor([&](Reactor& reactor) -> Task<void> {
      ScriptedPostgres server(reactor);
      server.listen();
      server.play(log_in_and_prepare() + place);
      server.play(log_in_and_prepare() + Script{expect(ask_find(2)), send(answer(2))});
      Client client(reactor, server);
      co_await client.connected();
      Transaction transaction(*client.pool, {reactor.now() + 3s});
      Result<void> outcome = co_await transaction.begin();
      if (outcome) {
        auto finding = transaction.query(find_number, 1);
        const auto rows = co_await finding;
        outcome = co_await transaction.commit();
        EXPECT_EQ(rows.has_value(), &place == &places[3]);
      }
      EXPECT_FALSE(outcome);
      if (!outcome) {
        EXPECT_EQ(outcome.error().kind, Error::Kind::unavailable);
      }
      Answer next;
      co_await client.run(next, 2);
      EXPECT_TRUE(next.is({2})) << next;
      co_await client.stop();
      co_await server.stop();
    });
  }
}

// The connection that was promised to it is lost: it is in line for the next.
TEST(Transaction, InLineAgainWhenItsConnectionIsLostBefore) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate gate(reactor);
    server.play(log_in_and_prepare() + Script{expect(ask_add(1)), pause(gate), close_session()});
    server.play(log_in_and_prepare() +
                Script{expect(ask_begin), send(begun), expect(ask_commit), send(committed)});
    Client client(reactor, server);
    co_await client.connected();
    Answer lost;
    client.ask(lost, 1, add_number);
    gate.open();
    Transaction transaction(*client.pool, {reactor.now() + 3s});
    const Result<void> has_begun = co_await transaction.begin();
    EXPECT_TRUE(has_begun);
    const Result<void> done_now = co_await transaction.commit();
    EXPECT_TRUE(done_now);
    EXPECT_TRUE(lost.failed(Error::Kind::unavailable)) << lost;
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Transaction, ThePoolIsStopped) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{expect(ask_begin), send(begun)});
    Client client(reactor, server);
    co_await client.connected();
    Transaction held(*client.pool, {reactor.now() + 3s}), later(*client.pool, {});
    const Result<void> has_begun = co_await held.begin();
    EXPECT_TRUE(has_begun);
    io::Scope scope(reactor);
    std::optional<Error> in_line;
    const auto wait = [&]() -> Task<void> {
      Transaction transaction(*client.pool, {reactor.now() + 3s});
      const Result<void> refused = co_await transaction.begin();
      if (!refused) in_line = refused.error();
    };
    scope.spawn(wait());
    co_await client.stop();
    co_await scope.join();
    EXPECT_TRUE(in_line && in_line->kind == Error::Kind::cancelled);
    const Result<void> lost = co_await held.commit();
    EXPECT_FALSE(lost);
    const Result<void> refused = co_await later.begin();
    EXPECT_TRUE(!refused && refused.error().kind == Error::Kind::cancelled);
    co_await server.stop();
  });
}

TEST(Transaction, InALineThatIsFullIsRefused) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() +
                Script{expect(ask_begin), send(begun), expect(ask_rollback), send(rolled_back)});
    Client client(reactor, server, [](Options& options) { options.most_waiting = 1; });
    co_await client.connected();
    {
      Transaction held(*client.pool, {reactor.now() + 3s});
      (void)co_await held.begin();
      io::Scope scope(reactor);
      std::vector<Error::Kind> kinds;
      const auto wait = [&]() -> Task<void> {
        Transaction transaction(*client.pool, {reactor.now() + 30ms});
        const Result<void> refused = co_await transaction.begin();
        if (!refused) kinds.push_back(refused.error().kind);
      };
      scope.spawn(wait());
      scope.spawn(wait());
      co_await scope.join();
      EXPECT_EQ(kinds, (std::vector{Error::Kind::overloaded, Error::Kind::unavailable}));
    }
    co_await client.stop();
    co_await server.stop();
  });
}

}  // namespace
}  // namespace ringpost::pg
