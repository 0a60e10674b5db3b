#include "loadtest/stub/message.h"

#include <gtest/gtest.h>

#include "loadtest/stub/tests/rows.h"

namespace ringpost::stub {
namespace {

using namespace tests;
using proto::wire::Buffer;
namespace wire = proto::wire;

TEST(Message, ComesWholeOrNotAtAll) {
  const std::string whole = "S\0\0\0\4Q\0\0\0\x06;\0"s;
  Message message;
  for (size_t length = 0; length < 5; ++length)
    EXPECT_EQ(next_message(whole.substr(0, length), message), wire::Parse::partial);
  EXPECT_EQ(next_message(whole, message), wire::Parse::complete);
  EXPECT_EQ(message.type, 'S');
  EXPECT_EQ(message.size, 5u);
  EXPECT_EQ(next_message(std::string_view(whole).substr(5), message), wire::Parse::complete);
  EXPECT_EQ(message.body, ";\0"s);
  EXPECT_EQ(next_message("S\0\0\0\3"s, message), wire::Parse::invalid);
  EXPECT_EQ(next_message("S\xff\xff\xff\xff"s, message), wire::Parse::invalid);
  EXPECT_EQ(next_message("Q\0\x10\0\1"s, message), wire::Parse::invalid);  // above 1 MiB
}

TEST(Message, AStartupPacketHasNoType) {
  const std::string ssl = "\0\0\0\x08\x04\xd2\x16\x2f"s;
  StartupPacket packet;
  for (size_t length = 0; length < 8; ++length)
    EXPECT_EQ(next_startup_packet(ssl.substr(0, length), packet), wire::Parse::partial);
  EXPECT_EQ(next_startup_packet(ssl, packet), wire::Parse::complete);
  EXPECT_EQ(packet.code, 80'877'103u);
  EXPECT_EQ(packet.code, StartupPacket::ssl_request);
  EXPECT_EQ(next_startup_packet("\0\0\0\7\0\3\0\0"s, packet), wire::Parse::invalid);
  EXPECT_EQ(next_startup_packet("GET / HTTP/1.1\r\n", packet), wire::Parse::invalid);
}

TEST(Message, BindNamesFormatsForNoneForAllOrForEach) {
  const std::string head = "portal\0name\0"s;
  const std::string without = head +
                              "\0\0"s
                              "\0\1"s
                              "\0\0\0\1x"s
                              "\0\0"s;
  const auto none = decode_bind(without);
  ASSERT_TRUE(none);
  EXPECT_EQ(none->portal, "portal");
  EXPECT_EQ(none->statement, "name");
  EXPECT_EQ(none->count, 1u);
  EXPECT_EQ(none->values[0].bytes, "x");
  EXPECT_FALSE(none->values[0].binary);
  EXPECT_FALSE(none->results.binary(6));

  const std::string with_one = head +
                               "\0\1\0\1"s
                               "\0\2"s
                               "\0\0\0\0"s
                               "\xff\xff\xff\xff"s
                               "\0\1\0\1"s;
  const auto all = decode_bind(with_one);
  ASSERT_TRUE(all);
  EXPECT_EQ(all->values[0].bytes, "");
  EXPECT_TRUE(all->values[0].binary);
  EXPECT_FALSE(all->values[1].bytes);
  EXPECT_TRUE(all->results.binary(0) && all->results.binary(6));

  const std::string with_some = head +
                                "\0\2\0\1\0\0"s
                                "\0\2"s
                                "\0\0\0\1a"s
                                "\0\0\0\1b"s
                                "\0\3\0\0\0\1\0\0"s;
  const auto each = decode_bind(with_some);
  ASSERT_TRUE(each);
  EXPECT_TRUE(each->values[0].binary);
  EXPECT_FALSE(each->values[1].binary);
  EXPECT_FALSE(each->results.binary(0) || each->results.binary(2));
  EXPECT_TRUE(each->results.binary(1));
  EXPECT_TRUE(each->results.fits(3));
  EXPECT_FALSE(each->results.fits(2));
}

TEST(Message, AMalformedOneIsNone) {
  const std::string head = "\0\0"s;
  EXPECT_FALSE(decode_bind(head + "\0\1\0\2"s
                                  "\0\0"s
                                  "\0\0"s));  // a format 2
  EXPECT_FALSE(decode_bind(head + "\0\2\0\1\0\1"s
                                  "\0\1"s
                                  "\0\0\0\0"s
                                  "\0\0"s));  // two for one
  EXPECT_FALSE(decode_bind(head + "\0\0"s
                                  "\0\1"s
                                  "\xff\xff\xff\xfe"s
                                  "\0\0"s));  // length -2
  EXPECT_FALSE(decode_bind(head + "\0\0"s
                                  "\0\0"s
                                  "\0\0"s
                                  "x"));  // one byte more
  const std::string whole = head +
                            "\0\1\0\1"s
                            "\0\1"s
                            "\0\0\0\1x"s
                            "\0\1\0\1"s;
  EXPECT_TRUE(decode_bind(whole));
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_FALSE(decode_bind(Exact(whole.substr(0, length)).view())) << length;
  EXPECT_FALSE(decode_parse("a\0b\0"s));
  EXPECT_FALSE(decode_parse("a\0b\0\0\1\0\0\0"s));
  EXPECT_TRUE(decode_parse("a\0b\0\0\1\0\0\0\x14"s));
  EXPECT_FALSE(decode_named("Xa\0"s));
  EXPECT_FALSE(decode_named("Sa"));
  EXPECT_FALSE(decode_execute("\0\0\0\0"s));
}

std::string row(uint32_t text, std::string_view fields, std::string_view last = {}) {
  const auto statement = understand(
      last.empty()
          ? "select id, email, full_name, age, country_code, is_active, created_at from "
            "users where id = $1"
          : "select page.id, page.email, page.full_name, page.age, page.country_code, "
            "page.is_active, page.created_at, counted.total from (select count(*) as total "
            "from users) as counted left join (select id, email, full_name, age, "
            "country_code, is_active, created_at from users order by id limit $1 offset "
            "$2) as page on true order by page.id");
  Buffer out;
  encode_row(out, statement->columns, text, fields, last);
  return std::string(out.view());
}

TEST(Message, ARowInBinaryIsItsFieldsAsTheyAre) {
  EXPECT_EQ(row(0, ada), message('D', int16(7) + ada));
  EXPECT_EQ(row(0, bob, value(int64(3))), message('D', int16(8) + bob + value(int64(3))));
}

TEST(Message, ARowAsText) {
  EXPECT_EQ(row(0x69, ada),
            message('D', int16(7) + value("123e4567-e89b-12d3-a456-426614174000") +
                             value("ada@example.com") + value("Ada \"L\"") + value("25") +
                             value("GB") + value("t") + value("2026-01-31 08:00:00+00")));
  EXPECT_EQ(row(0xff, bob, value(int64(10'000))),
            message('D', int16(8) + value("123e4567-e89b-12d3-a456-426614174001") +
                             value("bob@example.com") + value("") + value("-1") + value("X ") +
                             value("f") + value("1999-12-31 23:59:59.5+00") + value("10000")));
  const std::string nulls = nobody.substr(20) + null_value;
  EXPECT_EQ(row(0xff, nulls), message('D', int16(7) + nulls));
  const size_t age_at = ada.size() - 12 - 5 - 6 - 8;
  EXPECT_EQ(row(0x08, ada),
            message('D', int16(7) + ada.substr(0, age_at) + value("25") + ada.substr(age_at + 8)));
}

TEST(Message, MomentsAsTextAreAsPostgreSQLWritesThem) {
  const std::pair<int64_t, const char*> all[] = {
      {0, "2000-01-01 00:00:00+00"},
      {1, "2000-01-01 00:00:00.000001+00"},
      {-1, "1999-12-31 23:59:59.999999+00"},
      {123'400, "2000-01-01 00:00:00.1234+00"},
      {INT64_MAX, "infinity"},
      {INT64_MIN, "-infinity"},
      {252'455'616'000'000'000, "10000-01-01 00:00:00+00"},
      {-63'082'281'600'000'000, "0001-01-01 00:00:00+00"},
      {-63'082'281'600'000'001, "0001-12-31 23:59:59.999999+00 BC"},
      {-64'460'534'400'000'000, "0044-04-30 00:00:00+00 BC"},
  };
  const Column column[] = {{"created_at", 1184, 8}};
  for (const auto& [microseconds, text] : all) {
    Buffer out;
    encode_row(out, column, 1, value(int64(microseconds)), {});
    EXPECT_EQ(out.view(), message('D', int16(1) + value(text)));
  }
}

TEST(Message, AnAnswersEnd) {
  Buffer out;
  encode_command_complete(out, "SELECT", 1);
  encode_command_complete(out, "SELECT", 50);
  encode_command_complete(out, "SET", std::nullopt);
  encode_ready(out, 'T');
  EXPECT_EQ(out.view(), "C\0\0\0\x0dSELECT 1\0C\0\0\0\x0eSELECT 50\0C\0\0\0\x08SET\0Z\0\0\0\5T"s);
}

}  // namespace
}  // namespace ringpost::stub
