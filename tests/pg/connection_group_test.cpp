// Reads that leave in one turn share a Sync, and so a fate: what becomes of each when one fails, is
// given up, or the session ends.
#include "tests/pg/pool_client.h"

namespace ringpost::pg {
namespace {

using io::Reactor, io::Task;

// What a statement takes is not known yet: a guess of 100 us.
void share(Options& options) {
  options.shared_syncs = true;
  options.group_member_time = 1s;
  options.group_time = 3600s;
}

// The part of an answer that is there before the Sync's.
std::string part(char value) {
  return bound + row(value) + selected;
}

// Asks 1 to `count` in one turn of a connection that plays `script`.
void ask_together(size_t count, const Script& script, const std::function<void(Options&)>& change,
                  const std::function<void(const std::vector<Answer>&, Client&)>& check) {
  run_on_reactor([&](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + script);
    Client client(reactor, server, change);
    co_await client.connected();
    std::vector<Answer> answers(count);
    for (size_t i = 0; i < count; ++i) client.ask(answers[i], static_cast<int32_t>(i + 1));
    for (const Answer& each : answers) co_await client.answered(each);
    check(answers, client);
    co_await client.stop();
    co_await server.stop();
  });
}

void are_all_answered(const std::vector<Answer>& answers, Client& client) {
  for (size_t i = 0; i < answers.size(); ++i)
    EXPECT_TRUE(answers[i].is({static_cast<int32_t>(i + 1)})) << i << answers[i];
  EXPECT_EQ(client.observer.count("lost"), 0u);
}

TEST(Group, ReadsOfOneTurnShareASync) {
  ask_together(3,
               {expect(bind_find(1) + bind_find(2) + bind_find(3) + sync),
                send(part(1) + part(2) + part(3) + ready)},
               share, are_all_answered);
}

TEST(Group, CanBeTurnedOff) {
  ask_together(
      2, {expect(ask_find(1) + ask_find(2)), send(answer(1) + answer(2))},
      [](Options& options) {
        share(options);
        options.shared_syncs = false;
      },
      are_all_answered);
}

TEST(Group, IsBoundByCount) {
  ask_together(
      5,
      {expect(bind_find(1) + bind_find(2) + sync + bind_find(3) + bind_find(4) + sync +
              bind_find(5) + sync),
       send(part(1) + answer(2) + part(3) + answer(4) + answer(5))},
      [](Options& options) {
        share(options);
        options.group_size = 2;
      },
      are_all_answered);
}

TEST(Group, IsBoundByTheTimeThatItMayTake) {
  ask_together(
      3,
      {expect(bind_find(1) + bind_find(2) + sync + bind_find(3) + sync),
       send(part(1) + answer(2) + answer(3))},
      [](Options& options) {
        share(options);
        options.group_time = 250us;
      },
      are_all_answered);
}

TEST(Group, HoldsNoneThatIsSlow) {
  ask_together(
      2, {expect(ask_find(1) + ask_find(2)), send(answer(1) + answer(2))},
      [](Options& options) {
        share(options);
        options.group_member_time = 99us;
      },
      are_all_answered);
}

TEST(Group, HoldsNoneThatWrites) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() +
                Script{expect(ask_find(1) + ask_add(2) + bind_find(3) + ask_find(4)),
                       send(answer(1) + answer(2) + part(3) + answer(4))});
    Client client(reactor, server, share);
    co_await client.connected();
    Answer one, two, three, four;
    client.ask(one, 1);
    client.ask(two, 2, add_number);
    client.ask(three, 3);
    client.ask(four, 4);
    co_await client.answered(one, two, three, four);
    EXPECT_TRUE(one.is({1}) && two.is({2}) && three.is({3}) && four.is({4}));
    co_await client.stop();
    co_await server.stop();
  });
}

// Those behind a failure were never executed: each is asked again, alone.
TEST(Group, WhatIsSkippedBehindAFailureIsAskedAgainAlone) {
  ask_together(4,
               {expect(bind_find(1) + bind_find(2) + bind_find(3) + bind_find(4) + sync),
                send(part(1) + error("ERROR", "22003", "out of range") + ready),
                expect(ask_find(3) + ask_find(4)), send(answer(3) + answer(4))},
               share, [](const std::vector<Answer>& answers, Client& client) {
                 EXPECT_TRUE(answers[0].is({1})) << answers[0];
                 EXPECT_TRUE(answers[1].failed(Error::Kind::server)) << answers[1];
                 EXPECT_EQ(answers[1].error->server->sqlstate, "22003");
                 EXPECT_TRUE(answers[2].is({3})) << answers[2];
                 EXPECT_TRUE(answers[3].is({4})) << answers[3];
                 EXPECT_EQ(client.observer.count("lost"), 0u);
               });
}

// A table that is gone: n in a group are 2 n - 1 executions.
TEST(Group, WhenAllFailEachFailsOnce) {
  const std::string gone = error("ERROR", "42P01", "no such table") + ready;
  ask_together(
      4,
      {expect(bind_find(1) + bind_find(2) + bind_find(3) + bind_find(4) + sync), send(gone),
       expect(ask_find(2) + ask_find(3) + ask_find(4)), send(gone + gone + gone)},
      share, [](const std::vector<Answer>& answers, Client& client) {
        for (const Answer& each : answers) EXPECT_TRUE(each.failed(Error::Kind::server)) << each;
        EXPECT_EQ(client.observer.count("lost"), 0u);
      });
}

// The failure may come with the Sync (a transaction that can't be committed): it is the last one's.
TEST(Group, AFailureOfTheCommitIsTheLastOnes) {
  ask_together(2,
               {expect(bind_find(1) + bind_find(2) + sync),
                send(part(1) + part(2) + error("ERROR", "XX000", "no commit") + ready)},
               share, [](const std::vector<Answer>& answers, Client&) {
                 EXPECT_TRUE(answers[0].is({1})) << answers[0];
                 EXPECT_TRUE(answers[1].failed(Error::Kind::server)) << answers[1];
               });
}

TEST(Group, AStaleStatementIsPreparedAnewByItself) {
  ask_together(
      3,
      {expect(bind_find(1) + bind_find(2) + bind_find(3) + sync),
       send(error("ERROR", "26000", "does not exist") + ready),
       expect(prepare_find + ask_find(1) + prepare_find + ask_find(2) + prepare_find + ask_find(3)),
       send(prepared + answer(1) + prepared + answer(2) + prepared + answer(3))},
      share, are_all_answered);
}

TEST(Group, OneThatGaveWayIsAskedAgainAlone) {
  ask_together(3,
               {expect(bind_find(1) + bind_find(2) + bind_find(3) + sync),
                send(part(1) + error("ERROR", "40P01", "deadlock") + ready),
                expect(ask_find(2) + ask_find(3)), send(answer(2) + answer(3))},
               share, are_all_answered);
}

// Its owner has gone: what was skipped of it is nobody's.
TEST(Group, WhatWasGivenUpIsNotAskedAgain) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate gate(reactor);
    server.play(log_in_and_prepare() +
                Script{expect(bind_find(1) + bind_find(2) + bind_find(3) + sync), pause(gate),
                       send(error("ERROR", "22003", "out of range") + ready), expect(ask_find(3)),
                       send(answer(3)), expect(ask_find(4)), send(answer(4))});
    Client client(reactor, server, share);
    co_await client.connected();
    Answer one, two, three, four;
    client.ask(one, 1);
    client.ask(two, 2, find_number, 20ms);
    client.ask(three, 3);
    co_await client.answered(two);
    EXPECT_TRUE(two.failed(Error::Kind::timed_out)) << two;
    gate.open();
    co_await client.answered(one, three);
    EXPECT_TRUE(one.failed(Error::Kind::server)) << one;
    EXPECT_TRUE(three.is({3})) << three;
    co_await client.run(four, 4);
    EXPECT_TRUE(four.is({4})) << four;
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Group, OneThatIsTooLargeFailsAloneAndTheOthersAreAnswered) {
  std::string many;
  for (int i = 0; i < 30; ++i) many += row(2);
  ask_together(
      3,
      {expect(bind_find(1) + bind_find(2) + bind_find(3) + sync),
       send(part(1) + bound + many + selected + part(3) + ready)},
      [](Options& options) {
        share(options);
        options.answer_bytes = 256;
      },
      [](const std::vector<Answer>& answers, Client&) {
        EXPECT_TRUE(answers[0].is({1})) << answers[0];
        EXPECT_TRUE(answers[1].failed(Error::Kind::too_large)) << answers[1];
        EXPECT_TRUE(answers[2].is({3})) << answers[2];
      });
}

// In the middle of a group, at its end, and before anything: what was not answered is asked again
// elsewhere, alone, as one of them may have been the cause.
TEST(Group, WhatASessionsEndLeavesUnansweredIsAskedAgainAlone) {
  for (const size_t done : {0U, 1U, 2U}) {
    for (const bool by_order : {false, true}) {
      run_on_reactor([&](Reactor& reactor) -> Task<void> {
        ScriptedPostgres server(reactor);
        server.listen();
        std::string came, again, answers;
        for (char i = 1; i <= 3; ++i) {
          const bool answered = static_cast<size_t>(i) <= done;
          (answered ? came : again) += answered ? part(i) : ask_find(i);
          if (!answered) answers += answer(i);
        }
        if (by_order) came += error("FATAL", "57P01", "terminating connection");
        server.play(log_in_and_prepare() +
                    Script{expect(bind_find(1) + bind_find(2) + bind_find(3) + sync), send(came),
                           close_session()});
        server.play(log_in_and_prepare() + Script{expect(again), send(answers)});
        Client client(reactor, server, share);
        co_await client.connected();
        Answer one, two, three;
        client.ask(one, 1);
        client.ask(two, 2);
        client.ask(three, 3);
        co_await client.answered(one, two, three);
        EXPECT_TRUE(one.is({1}) && two.is({2}) && three.is({3})) << one << two << three;
        co_await client.stop();
        co_await server.stop();
      });
    }
  }
}

// The session ends in the turn in which an owner asks its next from inside its answer: the group
// that this opens is never sent.
TEST(Group, IsOpenWhenItsSessionEnds) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    for (int i = 0; i < 20; ++i)
      server.play(log_in_and_prepare() +
                  Script{expect(ask_find(2)), send(answer(2)), expect(bind_find(1) + sync),
                         send(answer(1) + error("FATAL", "57P01", "terminating connection")),
                         close_session()});
    server.play(log_in_and_prepare() + Script{expect(ask_find(2)), send(answer(2))});
    Client client(reactor, server, share);
    co_await client.connected();
    Answer first;
    co_await client.run(first, 2);
    for (int i = 0; i < 20; ++i) {
      Answer one, two;
      co_await client.run(one, 1);
      EXPECT_TRUE(one.is({1})) << one;
      co_await client.run(two, 2);
      EXPECT_TRUE(two.is({2})) << two;
    }
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(Group, OfASessionThatIsStoppedFails) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{expect(bind_find(1) + bind_find(2) + sync)});
    Client client(reactor, server, share);
    co_await client.connected();
    Answer one, two;
    client.ask(one, 1);
    client.ask(two, 2);
    co_await client.stop();
    for (const Answer* each : {&one, &two})
      EXPECT_TRUE(each->failed(Error::Kind::unavailable)) << *each;
    co_await server.stop();
  });
}

// Owners that ask the next from inside their answers make the next group.
TEST(Group, IsMadeFromInsideAnAnswer) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{expect(bind_find(1) + bind_find(1) + sync),
                                              send(part(1) + answer(2)),
                                              expect(bind_find(2) + bind_find(2) + sync),
                                              send_in_pieces(part(3) + answer(4), 1)});
    Client client(reactor, server, [](Options& options) {
      share(options);
      options.pipeline_depth = 2;
    });
    co_await client.connected();
    io::Scope scope(reactor);
    std::deque<Answer> answers(4);
    scope.spawn(client.ask_in_turn(answers, 0, 2));
    scope.spawn(client.ask_in_turn(answers, 1, 2));
    co_await scope.join();
    for (size_t i = 0; i < answers.size(); ++i)
      EXPECT_TRUE(answers[i].is({static_cast<int32_t>(i + 1)})) << answers[i];
    co_await client.stop();
    co_await server.stop();
  });
}

}  // namespace
}  // namespace ringpost::pg
