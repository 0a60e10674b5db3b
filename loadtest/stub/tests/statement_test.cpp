#include "loadtest/stub/statement.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace ringpost::stub {
namespace {

using Kind = Statement::Kind;

TEST(Statement, KnowsTheStatementsOfTheApi) {
  const auto find = understand(
      "select id, email, full_name, age, country_code, is_active, created_at from users where id = "
      "$1");
  ASSERT_TRUE(find);
  EXPECT_EQ(find->kind, Kind::find_user);
  EXPECT_EQ(find->parameters.size(), 1u);
  EXPECT_EQ(find->columns.size(), 7u);
  EXPECT_EQ(find->columns[4].name, "country_code");
  const auto list = understand(
      "select page.id, page.email, page.full_name, page.age, page.country_code, page.is_active, "
      "page.created_at, counted.total from (select count(*) as total from users) as counted left "
      "join (select id, email, full_name, age, country_code, is_active, created_at from users "
      "order by id limit $1 offset $2) as page on true order by page.id");
  ASSERT_TRUE(list);
  EXPECT_EQ(list->kind, Kind::list_users);
  EXPECT_EQ(list->parameters.size(), 2u);
  EXPECT_EQ(list->columns.size(), 8u);
  EXPECT_EQ(list->columns[7].name, "total");
  const auto one = understand("select 1");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->kind, Kind::select_one);
}

TEST(Statement, CaseBlanksAndCommentsDoNotCount) {
  for (const char* sql : {"SELECT 1", " select\t1 ;", "select 1;;", "-- ping\nselect\n 1",
                          "select 1 -- ping", "--\n--\nselect 1--"}) {
    const auto found = understand(sql);
    EXPECT_TRUE(found && found->kind == Kind::select_one) << sql;
  }
  for (const char* sql : {"", ";", " \n", "-- ping", "--", "-- a\n-- b\n;"}) {
    const auto found = understand(sql);
    EXPECT_TRUE(found && found->kind == Kind::nothing) << sql;
  }
}

TEST(Statement, KnowsWhatDriversSayBesides) {
  const std::pair<const char*, const char*> all[] = {
      {"BEGIN", "BEGIN"},
      {"begin isolation level serializable", "BEGIN"},
      {"START TRANSACTION READ ONLY", "START TRANSACTION"},
      {"COMMIT;", "COMMIT"},
      {"end", "COMMIT"},
      {"ROLLBACK", "ROLLBACK"},
      {"abort", "ROLLBACK"},
      {"SET application_name = 'a;b'", "SET"},
      {"reset all", "RESET"},
      {"UNLISTEN *", "UNLISTEN"},
      {"CLOSE ALL", "CLOSE CURSOR ALL"},
      {"DISCARD ALL", "DISCARD ALL"},
      {"deallocate all", "DEALLOCATE ALL"},
      {"show timezone", "SHOW"},
  };
  for (const auto& [sql, tag] : all) {
    const auto found = understand(sql);
    ASSERT_TRUE(found) << sql;
    EXPECT_EQ(found->tag, tag);
  }
  EXPECT_EQ(understand("SHOW TimeZone")->columns[0].name, "TimeZone");
}

TEST(Statement, KnowsNothingElse) {
  for (const char* sql :
       {"select 2", "select 1 from users", "settle", "endless", "show", "show all", "showtimezone",
        "table users", "select 1; select 1", "select '1'", "select id from users where id = $1"})
    EXPECT_FALSE(understand(sql)) << sql;
}

TEST(Statement, AScriptIsCutAtItsSemicolons) {
  std::string_view script = "select 1; set a = 'b;c''d;' ;;end";
  std::vector<std::string_view> statements;
  while (!script.empty()) statements.push_back(take_statement(script));
  EXPECT_EQ(statements,
            (std::vector<std::string_view>{"select 1", " set a = 'b;c''d;' ", "", "end"}));
}

}  // namespace
}  // namespace ringpost::stub
