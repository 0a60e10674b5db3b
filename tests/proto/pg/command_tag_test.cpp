#include "proto/pg/command_tag.h"

#include <gtest/gtest.h>

using namespace std::string_view_literals;

namespace ringpost::proto::pg {
namespace {

TEST(CommandTag, CountsRows) {
  struct Case {
    std::string_view tag, command;
    uint64_t affected;
  };
  constexpr Case cases[] = {
      {"INSERT 0 5\0"sv, "INSERT 0 5", 5},
      {"UPDATE 3\0"sv, "UPDATE 3", 3},
      {"DELETE 0\0"sv, "DELETE 0", 0},
      {"MERGE 2\0"sv, "MERGE 2", 2},
      {"SELECT 10\0"sv, "SELECT 10", 10},
      {"COPY 18446744073709551615\0"sv, "COPY 18446744073709551615", 18446744073709551615U},
      {"BEGIN\0"sv, "BEGIN", 0},
      {"CREATE TABLE\0"sv, "CREATE TABLE", 0},
      {"7\0"sv, "7", 7},
      {"\0"sv, "", 0},
      {""sv, "", 0},
      {"UPDATE 3"sv, "", 0},
      {"UPDATE 3\0\0"sv, "", 0},
      {"UPDATE -3\0"sv, "UPDATE -3", 0},
      {"UPDATE 3x\0"sv, "UPDATE 3x", 0},
      {"UPDATE \0"sv, "UPDATE ", 0},
      {"COPY 18446744073709551616\0"sv, "COPY 18446744073709551616", 0},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(command_of(one.tag), one.command) << one.tag;
    EXPECT_EQ(affected_rows(one.tag), one.affected) << one.tag;
  }
}

}  // namespace
}  // namespace ringpost::proto::pg
