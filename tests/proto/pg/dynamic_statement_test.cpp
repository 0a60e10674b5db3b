// A statement made at run time, and its rows.
#include "proto/pg/dynamic_statement.h"

#include <gtest/gtest.h>

#include "proto/pg/dynamic_rows.h"
#include "proto/pg/notification.h"
#include "tests/support/pg_messages.h"

using namespace std::string_literals;
using namespace std::string_view_literals;

namespace ringpost::proto::pg {
namespace {

using tests::Exact, tests::field, tests::int16, tests::message, tests::null_value, tests::value;

TEST(DynamicStatement, SendsEachParameterInItsFormat) {
  DynamicStatement statement(Access::read, "select $1, $2, $3, $4, $5", Format::binary);
  statement.add(int64_t{7}).add_text("hi").add("yes").add_null().add(std::optional<bool>());
  const StatementDescription description = statement.description();
  EXPECT_EQ((std::vector<Oid>(description.parameters.begin(), description.parameters.end())),
            (std::vector<Oid>{20, 0, 25, 0, 16}));
  EXPECT_EQ(description.sql, "select $1, $2, $3, $4, $5");
  EXPECT_EQ(description.server_name.view(), "");
  EXPECT_TRUE(description.read_only);
  ASSERT_TRUE(statement.fits());
  wire::Buffer out;
  statement.encode_bind(out);
  EXPECT_EQ(out.view(),
            "B\0\0\0\x39\0\0\0\5\0\1\0\0\0\1\0\0\0\1\0\5"
            "\0\0\0\x08\0\0\0\0\0\0\0\7\0\0\0\2hi\0\0\0\3yes\xff\xff\xff\xff\xff\xff\xff\xff"
            "\0\1\0\1E\0\0\0\x09\0\0\0\0\0"sv);
}

TEST(DynamicStatement, RefusesWhatAMessageCantHold) {
  DynamicStatement many(Access::write, "insert ...");
  for (int i = 0; i < 65'535; ++i) many.add_null();
  EXPECT_TRUE(many.fits());
  many.add_null();
  EXPECT_FALSE(many.fits());
  // Of a made-up length: nothing reads it.
  DynamicStatement large(Access::write, "insert ...");
  large.add(std::string_view("x", size_t{1} << 32));
  EXPECT_FALSE(large.fits());
}

TEST(DynamicStatement, QuotesNames) {
  EXPECT_EQ(quote_identifier("users"), "\"users\"");
  EXPECT_EQ(quote_identifier("a \"b\""), "\"a \"\"b\"\"\"");
  EXPECT_EQ(quote_identifier("cut\0\"; drop"sv), "\"cut\"");
  EXPECT_EQ(quote_identifier(""), "\"\"");
}

const std::string two_columns = int16(2) + field("name", 25) + field("age", 23);
const std::string zoe = message('D', int16(2) + value("Zoe") + value("\0\0\0\x19"sv)),
                  nobody = message('D', int16(2) + null_value + null_value);

TEST(DynamicRows, ReadsColumnsByPlaceAndName) {
  const std::string notice = message('N', "SNOTICE\0VNOTICE\0C00000\0Mhello\0\0"sv);
  const Exact description(two_columns), messages(zoe + notice + nobody);
  DynamicRows rows(description.view(), messages.view(), "SELECT 2\0"sv, Format::binary);
  ASSERT_EQ(rows.columns().size(), 2u);
  EXPECT_EQ(rows.columns()[1].name, "age");
  EXPECT_EQ(rows.find("age"), 1u);
  EXPECT_EQ(rows.find("Age"), std::nullopt);
  ASSERT_TRUE(rows.next());
  EXPECT_EQ(rows.bytes(0), "Zoe");
  EXPECT_FALSE(rows.is_null(1));
  EXPECT_EQ(rows.as<std::string_view>(0), "Zoe");
  EXPECT_EQ(rows.as<int32_t>(1), 25);
  EXPECT_EQ(rows.as<std::optional<int32_t>>(1), std::optional(25));
  EXPECT_EQ(rows.as<int64_t>(1), std::nullopt) << "another type";
  ASSERT_TRUE(rows.next());
  EXPECT_TRUE(rows.is_null(0));
  EXPECT_EQ(rows.bytes(0), "");
  EXPECT_EQ(rows.as<int32_t>(1), std::nullopt) << "NULL where none may be";
  EXPECT_EQ(rows.as<std::optional<int32_t>>(1),
            std::optional<std::optional<int32_t>>(std::in_place));
  EXPECT_FALSE(rows.next());
  EXPECT_FALSE(rows.malformed());
  EXPECT_EQ(rows.affected(), 2u);
  EXPECT_EQ(rows.command(), "SELECT 2");
}

TEST(DynamicRows, OfAStatementThatBringsNone) {
  DynamicRows rows("", "", "CREATE TABLE\0"sv, Format::text);
  EXPECT_TRUE(rows.columns().empty());
  EXPECT_FALSE(rows.next());
  EXPECT_FALSE(rows.malformed());
  EXPECT_EQ(rows.command(), "CREATE TABLE");
}

TEST(DynamicRows, RefusesEveryPrefixAndAnythingMore) {
  const std::string body = zoe.substr(5);
  for (size_t size = 0; size <= body.size() + 1; ++size) {
    const Exact messages(message('D', (body + '\0').substr(0, size)) + zoe);
    DynamicRows rows(two_columns, messages.view(), "", Format::binary);
    EXPECT_EQ(rows.next(), size == body.size()) << size;
    EXPECT_EQ(rows.malformed(), size != body.size()) << size;
    if (rows.malformed()) {
      EXPECT_FALSE(rows.next()) << "nothing is read behind it";
    }
  }
  for (size_t size = 1; size < two_columns.size(); ++size) {
    DynamicRows rows(Exact(two_columns.substr(0, size)).view(), zoe, "", Format::binary);
    EXPECT_TRUE(rows.malformed()) << size;
    EXPECT_FALSE(rows.next());
  }
  const std::string negative = message('D', int16(2) + "\xff\xff\xff\xfe"s + value("abcd"));
  DynamicRows rows(two_columns, negative, "", Format::binary);
  EXPECT_FALSE(rows.next());
  EXPECT_TRUE(rows.malformed());
}

TEST(Notification, IsReadToTheLastByte) {
  const std::string body = "\0\0\1\2news\0extra\0"s;
  const auto notification = decode_notification(body);
  ASSERT_TRUE(notification);
  EXPECT_EQ(notification->process_id, 258);
  EXPECT_EQ(notification->channel, "news");
  EXPECT_EQ(notification->payload, "extra");
  EXPECT_TRUE(decode_notification("\0\0\1\2news\0\0"sv)) << "without a payload";
  for (size_t size = 0; size < body.size(); ++size)
    EXPECT_FALSE(decode_notification(Exact(body.substr(0, size)).view())) << size;
  EXPECT_FALSE(decode_notification(body + '\0'));
}

}  // namespace
}  // namespace ringpost::proto::pg
