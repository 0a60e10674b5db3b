#include "src/pg/error.h"

#include <gtest/gtest.h>

namespace ringpost::pg {
namespace {

using Kind = Error::Kind;

Error from_server(std::string sqlstate) {
  proto::pg::ErrorResponse server;
  server.severity = "ERROR";
  server.sqlstate = std::move(sqlstate);
  server.message = "sorry";
  return {Kind::server, std::make_shared<const proto::pg::ErrorResponse>(server), {}};
}

TEST(Error, SaysWhatHappenedInOneLine) {
  EXPECT_EQ((Error{Kind::unavailable, nullptr, {}}).message(), "no connection to PostgreSQL");
  EXPECT_EQ((Error{Kind::unavailable, nullptr, "db:5432: connect: Connection refused"}).message(),
            "no connection to PostgreSQL: db:5432: connect: Connection refused");
  EXPECT_EQ((Error{Kind::timed_out, nullptr, {}}).message(), "PostgreSQL did not answer in time");
  EXPECT_EQ((Error{Kind::overloaded, nullptr, {}}).message(),
            "too many queries wait for a connection");
  EXPECT_EQ((Error{Kind::cancelled, nullptr, {}}).message(), "cancelled");
  EXPECT_EQ((Error{Kind::rolled_back, nullptr, {}}).message(),
            "the transaction had failed: its COMMIT has rolled it back");
  EXPECT_EQ((Error{Kind::mismatch, nullptr, "column 1"}).message(), "column 1");
  EXPECT_EQ((Error{Kind::too_large, nullptr, "the answer"}).message(), "the answer");
  EXPECT_EQ(from_server("42P01").message(), "ERROR 42P01: sorry");
}

TEST(Error, KnowsWhatMayPassByItself) {
  for (const Kind kind : {Kind::unavailable, Kind::timed_out, Kind::overloaded, Kind::cancelled})
    EXPECT_TRUE((Error{kind, nullptr, {}}).outage());
  for (const Kind kind : {Kind::rolled_back, Kind::mismatch, Kind::too_large})
    EXPECT_FALSE((Error{kind, nullptr, {}}).outage());
  for (const char* sqlstate :
       {"57P01", "57P02", "57P03", "53300", "08006", "57014", "55P03", "40001"})
    EXPECT_TRUE(from_server(sqlstate).outage()) << sqlstate;
  for (const char* sqlstate : {"42P01", "22012", "23505"})
    EXPECT_FALSE(from_server(sqlstate).outage()) << sqlstate;
}

TEST(Error, NamesTheStatementWhoseRowDoesNotFit) {
  static constexpr proto::pg::StatementDescription statement{
      "find", "select", {"find", "select", {}}, {}, {}, true};
  EXPECT_EQ(undecodable(statement).message(),
            "statement find: a row has a NULL, an integer or a number of columns that its "
            "declaration can't hold");
  EXPECT_FALSE(undecodable(statement).outage());
  EXPECT_EQ(not_utf8(statement).message(), "statement find: a row has text that is not UTF-8");
  EXPECT_FALSE(not_utf8(statement).outage());
}

}  // namespace
}  // namespace ringpost::pg
