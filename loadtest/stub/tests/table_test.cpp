#include "loadtest/stub/table.h"

#include <gtest/gtest.h>

#include "loadtest/stub/tests/rows.h"

namespace ringpost::stub {
namespace {

using namespace tests;

proto::pg::Uuid uuid(char last) {
  return *proto::pg::parse_uuid("123e4567-e89b-12d3-a456-42661417400"s + last);
}

TEST(Table, FindsByIdTheBytesThatWereCopied) {
  const Table table = small_table();
  EXPECT_EQ(table.size(), 3u);
  ASSERT_EQ(table.find(uuid('1')).size(), 1u);
  EXPECT_EQ(table.find(uuid('1'))[0].fields, bob);
  EXPECT_EQ(table.find(uuid('0'))[0].fields, ada);
  EXPECT_TRUE(table.find(uuid('9')).empty());
}

TEST(Table, PagesAreInTheOrderOfIds) {
  const Table table = small_table();
  const auto all = table.page(200, 0);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].fields, ada);
  EXPECT_EQ(all[1].fields, bob);
  EXPECT_EQ(all[2].fields, nobody);
  ASSERT_EQ(table.page(1, 1).size(), 1u);
  EXPECT_EQ(table.page(1, 1)[0].fields, bob);
  EXPECT_EQ(table.page(2, 2).size(), 1u);
  EXPECT_TRUE(table.page(0, 0).empty());
  EXPECT_TRUE(table.page(1, 3).empty());
  EXPECT_TRUE(table.page(INT64_MAX, INT64_MAX).empty());
}

TEST(Table, StaysWhereItIsWhenMoved) {
  Table first = small_table();
  const Table second = std::move(first);
  EXPECT_EQ(second.find(uuid('0'))[0].fields, ada);
}

TEST(Table, MayBeEmptyAndHaveAnExtension) {
  EXPECT_EQ(Table::read(bytes_of(copy_head + copy_end))->size(), 0u);
  const std::string extended = copy_head.substr(0, 15) + int32(3) + "ext";
  EXPECT_EQ(Table::read(bytes_of(extended + tuple(ada) + copy_end))->size(), 1u);
}

TEST(Table, SaysWhatIsWrong) {
  const auto why = [](const std::string& bytes) -> std::string {
    const auto table = Table::read(bytes_of(bytes));
    return table ? "nothing" : table.error();
  };
  EXPECT_EQ(why("id,email\n"), "not what COPY writes in its binary format");
  EXPECT_EQ(why(""), "not what COPY writes in its binary format");
  EXPECT_EQ(why(copy_head + tuple(ada)), "row 2 is cut off");
  EXPECT_EQ(why(copy_head + tuple(ada) + int16(6) + bob), "row 2 has other columns");
  EXPECT_EQ(why(copy_head + tuple(null_value + ada.substr(20)) + copy_end),
            "row 1 has columns of other types");
  EXPECT_EQ(why(copy_head + tuple(ada.substr(20) + ada.substr(0, 20)) + copy_end),
            "row 1 has columns of other types");
  const std::string whole = copy_head + tuple(ada) + tuple(bob) + copy_end;
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_NE(why(whole.substr(0, length)), "nothing") << length;
}

}  // namespace
}  // namespace ringpost::stub
