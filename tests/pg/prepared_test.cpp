#include "src/pg/prepared.h"

#include <gtest/gtest.h>

namespace ringpost::pg {
namespace {

using namespace std::chrono_literals;

constexpr proto::pg::StatementDescription statement{.name = "one",
                                                    .sql = "select 1",
                                                    .server_name = {"one", "select 1", {}},
                                                    .parameters = {},
                                                    .columns = {},
                                                    .read_only = true};

void prepare(Prepared& prepared, size_t index) {
  proto::pg::Pipeline::Answer answer;
  answer.parameter_description = {"\0\0", 2};  // none
  EXPECT_TRUE(prepared.note(index, statement, answer));
  EXPECT_TRUE(prepared.has(index));
}

TEST(Prepared, LosesAStatementTwiceOnlyWhereItHadItBetween) {
  const io::Time start{100h};
  Prepared prepared(2);
  EXPECT_FALSE(prepared.lose(0, start)) << "it was never there";
  EXPECT_FALSE(prepared.lose(0, start));
  prepare(prepared, 0);
  EXPECT_FALSE(prepared.lose(0, start + 1s));
  EXPECT_FALSE(prepared.has(0));
  EXPECT_FALSE(prepared.lose(0, start + 1s)) << "another query that was in flight";
  prepare(prepared, 0);
  prepare(prepared, 1);
  EXPECT_FALSE(prepared.lose(1, start + 2s)) << "another statement's losses are its own";
  EXPECT_TRUE(prepared.lose(0, start + 2s));
}

TEST(Prepared, TwoLossesAreNoneWhenTheyAreFarApart) {
  const io::Time start{100h};
  Prepared prepared(1);
  prepare(prepared, 0);
  EXPECT_FALSE(prepared.lose(0, start));
  prepare(prepared, 0);
  EXPECT_FALSE(prepared.lose(0, start + 1min));
  prepare(prepared, 0);
  EXPECT_TRUE(prepared.lose(0, start + 2min - 1ms));
}

TEST(Prepared, ANewSessionHasLostNothing) {
  const io::Time start{100h};
  Prepared prepared(1);
  prepare(prepared, 0);
  EXPECT_FALSE(prepared.lose(0, start));
  prepared.clear();
  EXPECT_FALSE(prepared.has(0));
  prepare(prepared, 0);
  EXPECT_FALSE(prepared.lose(0, start + 1s));
}

TEST(StatementNames, AreGivenUpForAWhile) {
  const io::Time start{100h};
  StatementNames names;
  EXPECT_TRUE(names.are_kept(start));
  EXPECT_TRUE(names.give_up(start, 5s));
  EXPECT_FALSE(names.are_kept(start + 1s));
  EXPECT_FALSE(names.give_up(start + 1s, 5s)) << "it is known already";
  EXPECT_FALSE(names.are_kept(start + 6s - 1ns));
  EXPECT_TRUE(names.are_kept(start + 6s));
  EXPECT_TRUE(names.give_up(start + 6s, 5s));
}

}  // namespace
}  // namespace ringpost::pg
