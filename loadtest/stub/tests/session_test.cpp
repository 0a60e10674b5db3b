#include "loadtest/stub/session.h"

#include <gtest/gtest.h>

#include "loadtest/stub/tests/rows.h"
#include "tests/support/every_split.h"

namespace ringpost::stub {
namespace {

using namespace tests;
using Next = Session::Next;
using proto::wire::Buffer;

const std::string find_sql =
    "select id, email, full_name, age, country_code, is_active, created_at from users where id = "
    "$1";
const std::string list_sql =
    "select page.id, page.email, page.full_name, page.age, page.country_code, page.is_active, "
    "page.created_at, counted.total from (select count(*) as total from users) as counted left "
    "join (select id, email, full_name, age, country_code, is_active, created_at from users order "
    "by id limit $1 offset $2) as page on true order by page.id";

const std::string startup_body = "\0\3\0\0user\0alice\0application_name\0app\0\0"s;
const std::string startup = int32(static_cast<int64_t>(startup_body.size()) + 4) + startup_body;
const std::string ready = "Z\0\0\0\5I"s, ready_in_transaction = "Z\0\0\0\5T"s,
                  ready_in_failed = "Z\0\0\0\5E"s;

// What a client sends.
const std::string sync = "S\0\0\0\4"s, terminate = "X\0\0\0\4"s, flush = "H\0\0\0\4"s,
                  execute = "E\0\0\0\x09\0\0\0\0\0"s;
std::string parse(std::string_view name, std::string_view sql) {
  return message('P', cstring(name) + cstring(sql) + int16(0));
}
std::string describe(char kind, std::string_view name) {
  return message('D', kind + cstring(name));
}
std::string close_named(char kind, std::string_view name) {
  return message('C', kind + cstring(name));
}
// All in binary, of the unnamed portal.
std::string bind_all(std::string_view name, int count, std::string_view values) {
  return message('B', "\0"s + cstring(name) + int16(1) + int16(1) + int16(count) +
                          std::string(values) + int16(1) + int16(1));
}
std::string query(std::string_view sql) {
  return message('Q', cstring(sql));
}

// What the stub answers.
const std::string parsed = "1\0\0\0\4"s, bound = "2\0\0\0\4"s, closed = "3\0\0\0\4"s,
                  suspended = "s\0\0\0\4"s, empty_query = "I\0\0\0\4"s, no_data = "n\0\0\0\4"s;
std::string complete(std::string_view tag) {
  return message('C', cstring(tag));
}
std::string error(std::string_view sqlstate, std::string_view text,
                  std::string_view severity = "ERROR") {
  return message('E', "S" + cstring(severity) + "V" + cstring(severity) + "C" + cstring(sqlstate) +
                          "M" + cstring(text) + '\0');
}
std::string unknown_sql() {
  return error("0A000",
               "this is a stub for load tests: it answers the statements of the users API alone");
}
std::string row(std::string_view fields) {
  return message('D', int16(7) + std::string(fields));
}
std::string listed(std::string_view fields) {
  return message('D', int16(8) + std::string(fields) + value(int64(3)));
}
const std::string one_row = message('D', int16(1) + value(int32(1)));
const std::string one_row_as_text = message('D', int16(1) + value("1"));
std::string described(std::string_view name, uint32_t type, int size, int modifier, int format) {
  return cstring(name) + int32(0) + int16(0) + int32(type) + int16(size) + int32(modifier) +
         int16(format);
}
const std::string one_description = message('T', int16(1) + described("?column?", 23, 4, -1, 0));

class StubSession : public testing::Test {
 protected:
  // The answers to `bytes`, which come at once; what is not to be sent yet stays behind them.
  std::string answers(std::string_view bytes) {
    next_ = session_.take(Exact(bytes).view(), out_);
    std::string all(out_.view());
    out_.clear();
    return all;
  }
  void start() {
    answers(startup);
    ASSERT_EQ(next_, Next::send);
  }
  void prepare() {
    start();
    ASSERT_EQ(answers(parse("find", find_sql) + parse("list", list_sql) + parse("one", "select 1") +
                      sync),
              parsed + parsed + parsed + ready);
  }

  Table table_ = small_table();
  Session session_{table_, 4711};
  Buffer out_;
  Next next_ = Next::wait;
};

TEST_F(StubSession, WelcomesWhoeverComes) {
  const auto status = [](std::string_view name, std::string_view text) {
    return message('S', cstring(name) + cstring(text));
  };
  EXPECT_EQ(answers(startup),
            "R\0\0\0\x08\0\0\0\0"s + status("server_version", "16.0 (ringpost's stub)") +
                status("server_encoding", "UTF8") + status("client_encoding", "UTF8") +
                status("application_name", "app") + status("session_authorization", "alice") +
                status("is_superuser", "off") + status("DateStyle", "ISO, MDY") +
                status("IntervalStyle", "postgres") + status("TimeZone", "UTC") +
                status("integer_datetimes", "on") + status("standard_conforming_strings", "on") +
                status("default_transaction_read_only", "off") + status("in_hot_standby", "off") +
                "K\0\0\0\x0c\0\0\x12\x67\0\0\0\0"s + ready);
  EXPECT_EQ(next_, Next::send);
}

TEST_F(StubSession, RefusesEncryptionAndGoesOn) {
  EXPECT_EQ(answers("\0\0\0\x08\x04\xd2\x16\x2f"s), "N");
  EXPECT_EQ(next_, Next::send);
  EXPECT_EQ(answers("\0\0\0\x08\x04\xd2\x16\x30"s), "N");
  EXPECT_EQ(answers(startup).substr(0, 9), "R\0\0\0\x08\0\0\0\0"s);
}

TEST_F(StubSession, TakesARequestToCancelAndCloses) {
  EXPECT_EQ(answers("\0\0\0\x10\x04\xd2\x16\x2e\0\0\x12\x67\0\0\0\0"s), "");
  EXPECT_EQ(next_, Next::end);
}

TEST_F(StubSession, ANewerMinorVersionIsTalkedDown) {
  const std::string body = "\0\3\0\2user\0alice\0_pq_.new\0on\0\0"s;
  const std::string said = answers(int32(static_cast<int64_t>(body.size()) + 4) + body);
  EXPECT_EQ(said.substr(0, 31), "v\0\0\0\x15\0\3\0\0\0\0\0\1_pq_.new\0R\0\0\0\x08\0\0\0\0"s);
}

TEST_F(StubSession, OtherProtocolsEnd) {
  EXPECT_EQ(answers("\0\0\0\x09\0\2\0\0\0"s),
            error("08P01", "unsupported frontend protocol", "FATAL"));
  EXPECT_EQ(next_, Next::end);
  Session web(table_, 1);
  EXPECT_EQ(web.take("GET / HTTP/1.1\r\n\r\n", out_), Next::end);
}

TEST_F(StubSession, AnswersAUserInBinary) {
  prepare();
  EXPECT_EQ(answers(bind_all("find", 1, value(id('\0'))) + execute + sync),
            bound + row(ada) + complete("SELECT 1") + ready);
  EXPECT_EQ(next_, Next::send);
  EXPECT_EQ(answers(bind_all("find", 1, value(id('\7'))) + execute + sync),
            bound + complete("SELECT 0") + ready);
  EXPECT_EQ(answers(bind_all("find", 1, null_value) + execute + sync),
            bound + complete("SELECT 0") + ready);
}

TEST_F(StubSession, AnswersAUserAsText) {
  prepare();
  const std::string asked =
      message('B', "\0find\0"s + int16(0) + int16(1) +
                       value("123E4567-E89B-12D3-A456-426614174001") + int16(0));
  EXPECT_EQ(
      answers(asked + execute + sync),
      bound +
          row(value("123e4567-e89b-12d3-a456-426614174001") + value("bob@example.com") + value("") +
              value("-1") + value("X ") + value("f") + value("1999-12-31 23:59:59.5+00")) +
          complete("SELECT 1") + ready);
}

TEST_F(StubSession, ManyQueriesMayShareASync) {
  prepare();
  std::string asked, expected;
  for (int i = 0; i < 100; ++i) {
    asked += bind_all("find", 1, value(id(static_cast<char>(i % 2)))) + execute;
    expected += bound + row(i % 2 == 0 ? ada : bob) + complete("SELECT 1");
  }
  EXPECT_EQ(answers(asked + sync), expected + ready);
}

TEST_F(StubSession, AnswersPages) {
  prepare();
  const auto page = [&](std::string_view limit, std::string_view offset) {
    return answers(bind_all("list", 2, std::string(limit) + std::string(offset)) + execute + sync);
  };
  EXPECT_EQ(page(value(int64(2)), value(int64(0))),
            bound + listed(ada) + listed(bob) + complete("SELECT 2") + ready);
  EXPECT_EQ(page(value(int64(2)), value(int64(2))),
            bound + listed(nobody) + complete("SELECT 1") + ready);
  std::string no_user;
  for (int i = 0; i < 7; ++i) no_user += null_value;
  EXPECT_EQ(page(value(int64(2)), value(int64(3))),
            bound + listed(no_user) + complete("SELECT 1") + ready);
  EXPECT_EQ(page(null_value, null_value),
            bound + listed(ada) + listed(bob) + listed(nobody) + complete("SELECT 3") + ready);
  EXPECT_EQ(page(value(int64(-1)), value(int64(0))),
            bound + error("2201W", "LIMIT must not be negative") + ready);
  EXPECT_EQ(page(value(int64(1)), value(int64(-1))),
            bound + error("2201X", "OFFSET must not be negative") + ready);
}

TEST_F(StubSession, ANumberMayComeAsText) {
  prepare();
  const auto asked = [](std::string_view limit) {
    return message('B', "\0list\0"s + int16(0) + int16(2) + value(limit) + value("1") + int16(1) +
                            int16(1)) +
           execute + sync;
  };
  EXPECT_EQ(answers(asked("1")), bound + listed(bob) + complete("SELECT 1") + ready);
  EXPECT_EQ(answers(asked("1x")), error("22P02", "invalid input syntax for type bigint") + ready);
}

TEST_F(StubSession, DescribesStatementsAndPortals) {
  prepare();
  EXPECT_EQ(
      answers(describe('S', "list") + flush),
      message('t', int16(2) + int32(20) + int32(20)) +
          message('T',
                  int16(8) + described("id", 2950, 16, -1, 0) + described("email", 25, -1, -1, 0) +
                      described("full_name", 25, -1, -1, 0) + described("age", 23, 4, -1, 0) +
                      described("country_code", 1042, -1, 6, 0) +
                      described("is_active", 16, 1, -1, 0) +
                      described("created_at", 1184, 8, -1, 0) + described("total", 20, 8, -1, 0)));
  EXPECT_EQ(next_, Next::send);
  EXPECT_EQ(answers(bind_all("one", 0, "") + describe('P', "") + sync),
            bound + message('T', int16(1) + described("?column?", 23, 4, -1, 1)) + ready);
  EXPECT_EQ(answers(parse("", "set a = b") + describe('S', "") + sync),
            parsed + message('t', int16(0)) + no_data + ready);
}

TEST_F(StubSession, RowsComeInPartsWhereExecuteHasALimit) {
  prepare();
  const auto some = [](int count) { return message('E', "p\0"s + int32(count)); };
  const std::string named =
      message('B', "p\0list\0"s + int16(1) + int16(1) + int16(2) + value(int64(9)) +
                       value(int64(0)) + int16(1) + int16(1));
  EXPECT_EQ(answers(named + some(2) + some(1) + some(5) + sync),
            bound + listed(ada) + listed(bob) + suspended + listed(nobody) + suspended +
                complete("SELECT 0") + ready);
  // Sync has ended the portal with its transaction.
  EXPECT_EQ(answers(some(1) + sync), error("34000", "portal \"p\" does not exist") + ready);
}

TEST_F(StubSession, NothingIsSentBeforeItIsDue) {
  prepare();
  EXPECT_EQ(answers(bind_all("one", 0, "") + execute), bound + one_row + complete("SELECT 1"));
  EXPECT_EQ(next_, Next::wait);
  EXPECT_EQ(answers(flush), "");
  EXPECT_EQ(next_, Next::send);
  EXPECT_EQ(answers(terminate), "");
  EXPECT_EQ(next_, Next::end);
}

TEST_F(StubSession, AfterAnErrorAllIsPassedOverUntilSync) {
  prepare();
  EXPECT_EQ(answers(bind_all("nobody", 0, "") + execute + parse("x", "select 1") + flush),
            error("26000", "prepared statement \"nobody\" does not exist"));
  EXPECT_EQ(answers(sync + bind_all("x", 0, "") + sync),
            ready + error("26000", "prepared statement \"x\" does not exist") + ready);
  const std::pair<std::string, std::string> all[] = {
      {parse("", "select 2"), unknown_sql()},
      {parse("one", "select 1"), error("42P05", "prepared statement \"one\" already exists")},
      {bind_all("find", 0, ""),
       error("08P01",
             "bind message supplies 0 parameters, but the statement requires "
             "1")},
      {bind_all("find", 1, value("short")), error("22P02", "invalid input syntax for type uuid")},
      {bind_all("list", 2, value(int32(1)) + value(int32(1))),
       error("22P02", "invalid input syntax for type bigint")},
      {execute, error("34000", "portal \"\" does not exist")},
      {describe('S', "y"), error("26000", "prepared statement \"y\" does not exist")},
      {describe('P', "y"), error("34000", "portal \"y\" does not exist")},
      {message('B', "\0one\0\0\0\0\0\0\2\0\0\0\0"s),
       error("08P01", "bind message has another number of result formats than there are columns")},
  };
  for (const auto& [asked, answered] : all)
    EXPECT_EQ(answers(asked + execute + sync), answered + ready);
}

TEST_F(StubSession, WhatIsClosedIsGone) {
  prepare();
  EXPECT_EQ(
      answers(close_named('S', "one") + close_named('S', "never") + close_named('P', "") + sync),
      closed + closed + closed + ready);
  EXPECT_EQ(answers(bind_all("one", 0, "") + sync),
            error("26000", "prepared statement \"one\" does not exist") + ready);
  EXPECT_EQ(
      answers(parse("", "select 1") + parse("", "set a = b") + bind_all("", 0, "") +
              close_named('P', "") + execute + sync),
      parsed + parsed + bound + closed + error("34000", "portal \"\" does not exist") + ready);
  EXPECT_EQ(answers(query("discard all") + bind_all("find", 1, value(id('\0'))) + sync),
            complete("DISCARD ALL") + ready +
                error("26000", "prepared statement \"find\" does not exist") + ready);
}

TEST_F(StubSession, AnswersSimpleQueriesAsText) {
  start();
  EXPECT_EQ(answers(query("select 1")),
            one_description + one_row_as_text + complete("SELECT 1") + ready);
  EXPECT_EQ(answers(query(";")), empty_query + ready);
  EXPECT_EQ(answers(query("-- ping")), empty_query + ready);
  EXPECT_EQ(answers(query("show server_version")),
            message('T', int16(1) + described("server_version", 25, -1, -1, 0)) +
                message('D', int16(1) + value("16.0 (ringpost's stub)")) + complete("SHOW") +
                ready);
  EXPECT_EQ(answers(query("show APPLICATION_NAME")),
            message('T', int16(1) + described("application_name", 25, -1, -1, 0)) +
                message('D', int16(1) + value("app")) + complete("SHOW") + ready);
  EXPECT_EQ(answers(query("set a = 1; select 1; table users; select 1")),
            complete("SET") + one_description + one_row_as_text + complete("SELECT 1") +
                unknown_sql() + ready);
  EXPECT_EQ(
      answers(query(find_sql)),
      error("08P01", "bind message supplies 0 parameters, but the statement requires 1") + ready);
}

TEST_F(StubSession, TellsOfTransactions) {
  prepare();
  EXPECT_EQ(answers(query("begin")), complete("BEGIN") + ready_in_transaction);
  EXPECT_EQ(answers(bind_all("one", 0, "") + execute + sync),
            bound + one_row + complete("SELECT 1") + ready_in_transaction);
  // Portals live as long as the transaction.
  EXPECT_EQ(answers(execute + sync), complete("SELECT 0") + ready_in_transaction);
  EXPECT_EQ(answers(query("select 2")), unknown_sql() + ready_in_failed);
  const std::string aborted = error(
      "25P02", "current transaction is aborted, commands ignored until end of transaction block");
  EXPECT_EQ(answers(query("select 1")), aborted + ready_in_failed);
  EXPECT_EQ(answers(bind_all("one", 0, "") + execute + sync), aborted + ready_in_failed);
  EXPECT_EQ(answers(parse("", "commit") + bind_all("", 0, "") + execute + sync),
            parsed + bound + complete("ROLLBACK") + ready);
  EXPECT_EQ(answers(query("begin; commit")), complete("BEGIN") + complete("COMMIT") + ready);
}

TEST_F(StubSession, WhatIsNoMessageEndsIt) {
  const std::pair<std::string, std::string> all[] = {
      {"S\0\0\0\3"s, "invalid message length"},
      {message('y', ""), "invalid frontend message type 121"},
      {message('P', "a"), "invalid Parse message"},
      {message('B', "a"), "invalid Bind message"},
      {message('D', "Xa\0"s), "invalid Describe message"},
      {message('E', ""), "invalid Execute message"},
      {message('C', ""), "invalid Close message"},
      {message('Q', "a"), "invalid Query message"},
  };
  for (const auto& [bytes, why] : all) {
    Session session(table_, 1);
    Buffer out;
    session.take(startup, out);
    out.clear();
    EXPECT_EQ(session.take(bytes + sync, out), Next::end);
    EXPECT_EQ(out.view(), error("08P01", why, "FATAL"));
  }
}

TEST_F(StubSession, HoweverItsBytesAreCut) {
  const std::string all = "\0\0\0\x08\x04\xd2\x16\x2f"s + startup + parse("find", find_sql) +
                          describe('S', "find") + sync + bind_all("find", 1, value(id('\0'))) +
                          execute + sync + query("select 1; select 2") + bind_all("x", 0, "") +
                          flush + sync + terminate;
  const std::string expected = answers(all);
  EXPECT_EQ(next_, Next::end);
  every_split(all, [&](const Pieces& pieces) {
    Session session(table_, 4711);
    Buffer out;
    Next next = Next::wait;
    for (const std::string_view piece : pieces) {
      EXPECT_NE(next, Next::end);
      next = session.take(Exact(piece).view(), out);
    }
    EXPECT_EQ(next, Next::end) << lengths(pieces);
    EXPECT_EQ(out.view(), expected) << lengths(pieces);
  });
}

}  // namespace
}  // namespace ringpost::stub
