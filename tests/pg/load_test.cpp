#include "src/pg/load.h"

#include <functional>

#include <gtest/gtest.h>

namespace ringpost::pg {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using proto::pg::Pipeline;

const io::Time start{1h};

// A load, and the pipeline of its connection. "Answered" is said by the bytes of PostgreSQL.
class Session {
 public:
  Session(StatementCosts& costs, uint32_t depth) : pipeline_(depth, 1000), load_(costs) {
    load_.begin(0, start);
  }

  void send(size_t statement, io::Time now) {
    pipeline_.push(out_, Pipeline::Expect::execute, this, Pipeline::Sync::own,
                   load_.sent(statement, now));
  }
  // So many answers are taken, with `inside` in the middle of the turn.
  void answer(unsigned count, io::Time now, const std::function<void()>& inside = nullptr) {
    for (unsigned i = 0; i < count; ++i)
      EXPECT_EQ(pipeline_.next("2\0\0\0\4C\0\0\0\5\0Z\0\0\0\5I"s), Pipeline::Event::answer);
    if (inside) inside();
    load_.answered(pipeline_, now);
  }
  float total() const { return load_.total().count(); }

 private:
  proto::wire::Buffer out_;
  Pipeline pipeline_;
  Load load_;
};

TEST(Load, IsWhatIsInFlight) {
  StatementCosts costs{Load::Microseconds(100), Load::Microseconds(1000)};
  Session session(costs, 4);
  EXPECT_EQ(session.total(), 0);
  session.send(0, start);
  session.send(1, start);
  session.send(0, start);
  EXPECT_EQ(session.total(), 1200);
  session.answer(2, start + 1100us);
  EXPECT_EQ(session.total(), 100);
  session.answer(1, start + 1200us);
  EXPECT_EQ(session.total(), 0);
}

TEST(Load, LearnsWhatAStatementTakes) {
  StatementCosts costs{Load::Microseconds(100), Load::Microseconds(100)};
  Session session(costs, 4);
  io::Time now = start;
  for (uint64_t i = 0; i < 2000; ++i) {
    session.send(i % 2, now);
    now += i % 2 == 0 ? 20us : 2000us;
    session.answer(1, now);
    now += 5ms;  // idleness is nobody's
  }
  EXPECT_NEAR(costs[0].count(), 20, 1);
  EXPECT_NEAR(costs[1].count(), 2000, 10);
}

// Those that come in one turn share the time since the answers before them.
TEST(Load, SharesTheTimeOfATurn) {
  StatementCosts costs{Load::Microseconds(100)};
  Session session(costs, 8);
  io::Time now = start;
  for (int turn = 0; turn < 100; ++turn) {
    for (int i = 0; i < 8; ++i) session.send(0, now);
    session.answer(8, now += 80us);
  }
  EXPECT_NEAR(costs[0].count(), 10, 0.5);
}

// A page and a lookup are told apart although they mostly come together.
TEST(Load, TellsApartWhatComesTogether) {
  StatementCosts costs{Load::Microseconds(100), Load::Microseconds(100)};
  Session session(costs, 16);
  io::Time now = start;
  for (int turn = 0; turn < 10000; ++turn) {
    const int lookups = turn % 10;
    for (int i = 0; i < lookups; ++i) session.send(0, now);
    session.send(1, now);
    session.answer(static_cast<unsigned>(lookups + 1), now += lookups * 10us + 500us);
  }
  EXPECT_NEAR(costs[0].count(), 10, 5);
  EXPECT_NEAR(costs[1].count(), 500, 50);
}

TEST(Load, NothingAnsweredChangesNothing) {
  StatementCosts costs{Load::Microseconds(100)};
  Session session(costs, 2);
  session.send(0, start);
  session.answer(0, start + 1h);
  EXPECT_EQ(session.total(), 100);
  EXPECT_EQ(costs[0].count(), 100);
}

// With the pipeline full, an owner sends its next query from inside its answer: before the answers
// of that turn are settled.
TEST(Load, AQueryFromInsideAnAnswerTakesNoOthersPlace) {
  StatementCosts costs{Load::Microseconds(100), Load::Microseconds(1000)};
  Session session(costs, 2);
  session.send(0, start);
  session.send(0, start);
  session.answer(2, start + 200us, [&] {
    session.send(1, start + 200us);
    session.send(1, start + 200us);
  });
  EXPECT_EQ(session.total(), 2000);
  EXPECT_EQ(costs[0].count(), 100);
  session.answer(2, start + 2200us);
  EXPECT_EQ(session.total(), 0);
  EXPECT_EQ(costs[1].count(), 1000);
}

TEST(Load, OneStallSaysLittleOfAStatementAndManySayMuch) {
  for (const int together : {1, 64}) {
    StatementCosts costs{Load::Microseconds(100)};
    Session session(costs, 64);
    io::Time now = start;
    for (int turn = 0; turn < 150; ++turn) {
      for (int i = 0; i < together; ++i) session.send(0, now);
      session.answer(static_cast<unsigned>(together), now += 5s);
      if (turn == 0) {
        EXPECT_LT(costs[0].count(), together == 1 ? 110 : 130);
      }
    }
    EXPECT_GT(costs[0].count(), 50'000);
  }
}

// Where its CPU is busy with another backend every other time, a lookup is no slower a statement.
TEST(Load, WhatWaitsForACpuIsNotTakenForSlow) {
  StatementCosts costs{Load::Microseconds(100)};
  Session session(costs, 2);
  io::Time now = start;
  for (int turn = 0; turn < 1000; ++turn) {
    session.send(0, now);
    session.answer(1, now += turn % 2 == 0 ? 50us : 1500us);
  }
  EXPECT_NEAR(costs[0].count(), 211, 60);
}

// What took nothing that could be measured, for long, is still believed when it takes something.
TEST(Load, GrowsAgainFromNothing) {
  StatementCosts costs{Load::Microseconds(100)};
  Session session(costs, 2);
  io::Time now = start;
  for (int turn = 0; turn < 2000; ++turn) {
    session.send(0, now);
    session.answer(1, turn < 1000 ? now : now += 50us);
  }
  EXPECT_NEAR(costs[0].count(), 50, 1);
}

}  // namespace
}  // namespace ringpost::pg
