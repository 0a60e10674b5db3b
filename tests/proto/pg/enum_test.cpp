// Enums of the program; days and times as std::chrono has them.
#include "proto/pg/enum.h"

#include <gtest/gtest.h>

#include "proto/pg/calendar.h"
#include "proto/pg/statement.h"
#include "tests/support/pg_messages.h"

using namespace std::string_literals;
using namespace std::string_view_literals;

namespace weather {

enum class Sky : uint8_t { clear, overcast };
constexpr auto enum_labels(Sky) {
  return std::array{std::pair{Sky::clear, "clear"}, std::pair{Sky::overcast, "over cast"}};
}

}  // namespace weather

namespace ringpost::proto::pg {
namespace {

using weather::Sky;

struct Day {
  Sky sky;
  std::optional<Sky> later;
  std::vector<std::optional<Sky>> hours;
  static constexpr auto columns = std::tuple{&Day::sky, &Day::later, &Day::hours};
};
constexpr auto find_day = read<Day(Sky, std::optional<Sky>)>("find_day", "select ...");

TEST(LabelledEnum, IsAColumnAndAParameterByItsLabel) {
  EXPECT_EQ(find_day.parameters[0], 0u) << "the server finds it out";
  wire::Buffer out;
  EXPECT_TRUE(find_day.encode_bind(out, Sky::overcast, std::nullopt));
  EXPECT_NE(out.view().find("\0\2\0\0\0\x09over cast\xff\xff\xff\xff\0\1\0\1"sv),
            std::string_view::npos);
  const std::string hours =
      "\0\0\0\1\0\0\0\1\0\0\x40\x22\0\0\0\2\0\0\0\1\0\0\0\5clear\xff\xff\xff\xff"s;
  const std::string body = tests::int16(3) + tests::value("over cast") + tests::null_value;
  const auto day = decode_row<Day>(body + tests::value(hours));
  ASSERT_TRUE(day);
  EXPECT_EQ(day->sky, Sky::overcast);
  EXPECT_EQ(day->later, std::nullopt);
  EXPECT_EQ(day->hours, (std::vector<std::optional<Sky>>{Sky::clear, std::nullopt}));
}

TEST(LabelledEnum, RefusesALabelThatItDoesNotKnow) {
  for (const char* label : {"", "clea", "clearer", "Clear", "over"}) {
    const std::string field = tests::value(label);
    const char* at = field.data();
    Sky sky{};
    EXPECT_FALSE(decode_field(at, at + field.size(), sky)) << label;
  }
  EXPECT_TRUE(Value<Sky>::reads(16384));
  EXPECT_FALSE(Value<Sky>::reads(25));
  EXPECT_TRUE(Value<std::vector<Sky>>::reads(16390));
  EXPECT_EQ(Value<Sky>::encoded_size(static_cast<Sky>(7)), 0u) << "which PostgreSQL refuses";
}

using namespace std::chrono;

TEST(Calendar, DaysAndTimesAreThoseOfChrono) {
  struct Case {
    Date date;
    year_month_day day;
  };
  const Case cases[] = {
      {{0}, 2000y / 1 / 1},
      {{-1}, 1999y / 12 / 31},
      {{9527}, 2026y / 1 / 31},
      {{59}, 2000y / 2 / 29},
      {{-730'485}, year(0) / 1 / 1},        // 1 BC
      {{-2'451'507}, year(-4712) / 1 / 1},  // 4713-01-01 BC
  };
  for (const Case& one : cases) {
    EXPECT_EQ(to_days(one.date), sys_days(one.day)) << one.date.days;
    EXPECT_EQ(to_date(sys_days(one.day)), one.date);
  }
  EXPECT_EQ(to_date(to_days({2'145'031'948})), (Date{2'145'031'948})) << "5874897-12-31";
  constexpr int64_t morning = 823'161'600'123'456;  // 2026-01-31 08:00:00.123456
  const auto at = sys_days(2026y / 1 / 31) + 8h + 123'456us;
  EXPECT_EQ(to_time(Timestamptz{morning}), at);
  EXPECT_EQ(to_timestamptz(at), Timestamptz{morning});
  const auto here = local_days(2026y / 1 / 31) + 8h + 123'456us;
  EXPECT_EQ(to_time(Timestamp{morning}), here);
  EXPECT_EQ(to_timestamp(here), Timestamp{morning});
  EXPECT_EQ(to_time(Time{86'400'000'000}), 24h);
}

TEST(Calendar, WhatIsInfiniteHasNoDay) {
  EXPECT_FALSE(is_finite(date_infinity) || is_finite(date_minus_infinity));
  EXPECT_FALSE(is_finite(timestamp_infinity) || is_finite(timestamp_minus_infinity));
  EXPECT_FALSE(is_finite(infinity) || is_finite(minus_infinity));
  EXPECT_TRUE(is_finite(Date{}) && is_finite(Timestamp{}) && is_finite(Timestamptz{}));
}

}  // namespace
}  // namespace ringpost::proto::pg
