#include "proto/pg/timestamptz.h"

#include <chrono>
#include <cstdio>
#include <limits>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace ringpost::proto::pg {
namespace {

constexpr int64_t second = 1'000'000, day = 86'400 * second;

std::string written(int64_t microseconds) {
  char at[timestamp_text_length + 1];
  at[timestamp_text_length] = '#';
  char* const end = write_rfc3339(at, {microseconds});
  EXPECT_LE(end - at, 30);
  EXPECT_EQ(at[timestamp_text_length], '#') << "beyond the room";
  return {at, end};
}

struct Case {
  int64_t microseconds;
  const char* text;
};

// As `select extract(epoch from ...)` and to_json() of PostgreSQL give them, in years that RFC 3339
// has.
constexpr Case cases[] = {
    {0, "2000-01-01T00:00:00Z"},
    {823161600 * second, "2026-01-31T08:00:00Z"},
    {1, "2000-01-01T00:00:00.000001Z"},
    {999'999, "2000-01-01T00:00:00.999999Z"},
    {100'000, "2000-01-01T00:00:00.100000Z"},
    {-1, "1999-12-31T23:59:59.999999Z"},
    {-second, "1999-12-31T23:59:59Z"},
    {59 * day, "2000-02-29T00:00:00Z"},
    {60 * day, "2000-03-01T00:00:00Z"},
    {-day, "1999-12-31T00:00:00Z"},
    {-946684800 * second, "1970-01-01T00:00:00Z"},
    {-36524 * day, "1900-01-01T00:00:00Z"},
    {-36465 * day, "1900-03-01T00:00:00Z"},  // no leap day in 1900
    {252455615999 * second + 999'999, "9999-12-31T23:59:59.999999Z"},
    {-730485 * day, "0000-01-01T00:00:00Z"},
    {-730485 * day + 59 * day + 1, "0000-02-29T00:00:00.000001Z"},
    {-730425 * day - 1, "0000-02-29T23:59:59.999999Z"},
    {-730425 * day, "0000-03-01T00:00:00Z"},
    {-693961 * day, "0099-12-31T00:00:00Z"},
    {-693960 * day, "0100-01-01T00:00:00Z"},
    // Beyond: an expanded year with its sign.
    {252455616000 * second, "+010000-01-01T00:00:00Z"},
    {-730485 * day - 1, "-000001-12-31T23:59:59.999999Z"},
    {9223371331199999999,
     "+294276-12-31T23:59:59.999999Z"},  // the last and the first that PostgreSQL has
    {-211813488000000000, "-004713-11-24T00:00:00Z"},
    // What PostgreSQL has not, but 64 bits can hold.
    {std::numeric_limits<int64_t>::max() - 1, "+294277-01-09T04:00:54.775806Z"},
    {std::numeric_limits<int64_t>::min() + 1, "-290278-12-22T19:59:05.224193Z"},
};

TEST(WriteRfc3339, Table) {
  for (const Case& one : cases) EXPECT_EQ(written(one.microseconds), one.text);
}

TEST(WriteRfc3339, TheInfinities) {
  EXPECT_EQ(written(infinity.microseconds), "infinity");
  EXPECT_EQ(written(minus_infinity.microseconds), "-infinity");
}

// Year by year and month by month from 2000 on.
std::string written_slowly(int64_t microseconds) {
  int64_t rest = microseconds % day, days = microseconds / day, year = 2000;
  if (rest < 0) rest += day, --days;
  const auto leap = [&] { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); };
  for (; days < 0; days += leap() ? 366 : 365) --year;
  for (; days >= (leap() ? 366 : 365); ++year) days -= leap() ? 366 : 365;
  int month = 1;
  for (const int length : {31, leap() ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}) {
    if (days < length) break;
    days -= length;
    ++month;
  }
  char text[64];
  const bool expanded = year < 0 || year > 9999;
  int length = expanded ? std::snprintf(text, sizeof text, "%+07ld", year)
                        : std::snprintf(text, sizeof text, "%04ld", year);
  length += std::snprintf(text + length, sizeof text - static_cast<size_t>(length),
                          "-%02d-%02ldT%02ld:%02ld:%02ld", month, days + 1, rest / second / 3600,
                          rest / second / 60 % 60, rest / second % 60);
  if (rest % second != 0)
    length += std::snprintf(text + length, sizeof text - static_cast<size_t>(length), ".%06ld",
                            rest % second);
  return std::string(text, static_cast<size_t>(length)) + "Z";
}

TEST(WriteRfc3339, AllOfTheRange) {
  std::mt19937_64 random(23);
  for (int i = 0; i < 300; ++i) {
    const auto microseconds = static_cast<int64_t>(random());
    ASSERT_EQ(written(microseconds), written_slowly(microseconds));
    // Moments around the turns of far years.
    const int64_t turn = microseconds / (146'097 * day) * (146'097 * day);
    for (const int64_t near : {turn - 1, turn, turn + 59 * day, turn + 60 * day, turn + 366 * day})
      ASSERT_EQ(written(near), written_slowly(near));
  }
}

TEST(WriteRfc3339, EachSecondOfADayAndEachPartOfASecond) {
  for (int64_t seconds = 0; seconds < 86'400; ++seconds) {
    char expected[64];
    std::snprintf(expected, sizeof expected, "2000-01-01T%02ld:%02ld:%02ldZ", seconds / 3600,
                  seconds / 60 % 60, seconds % 60);
    ASSERT_EQ(written(seconds * second), expected);
  }
  for (int64_t part = 1; part < second; ++part) {
    char expected[64];
    std::snprintf(expected, sizeof expected, "2000-01-01T00:00:00.%06ldZ", part);
    ASSERT_EQ(written(part), expected);
  }
}

// Against the calendar of the standard library, which is written otherwise.
TEST(WriteRfc3339, AgreesWithTheStandardCalendar) {
  using namespace std::chrono;
  std::mt19937_64 random(5);
  for (int i = 0; i < 200'000; ++i) {
    const int64_t microseconds_ =
        static_cast<int64_t>(random() % (7'900ULL * 365 * day)) - 1'900LL * 365 * day;
    const sys_time<microseconds> time = sys_days(year(2000) / 1 / 1) + microseconds(microseconds_);
    const auto date_point = floor<days>(time);
    const year_month_day date(date_point);
    const hh_mm_ss clock(time - date_point);
    char expected[64];
    int length =
        std::snprintf(expected, sizeof expected, "%04d-%02u-%02uT%02ld:%02ld:%02ld",
                      int{date.year()}, unsigned{date.month()}, unsigned{date.day()},
                      clock.hours().count(), clock.minutes().count(), clock.seconds().count());
    if (clock.subseconds().count() != 0)
      length += std::snprintf(expected + length, sizeof expected - static_cast<size_t>(length),
                              ".%06ld", clock.subseconds().count());
    ASSERT_EQ(written(microseconds_), std::string(expected, static_cast<size_t>(length)) + "Z");
  }
}

TEST(WriteRfc3339, EachDayOfFourCenturies) {
  using namespace std::chrono;
  for (int64_t number = -146'097; number <= 146'097; ++number) {
    const year_month_day date(sys_days(year(2000) / 1 / 1) + days(number));
    char expected[32];
    std::snprintf(expected, sizeof expected, "%04d-%02u-%02uT00:00:00Z", int{date.year()},
                  unsigned{date.month()}, unsigned{date.day()});
    ASSERT_EQ(written(number * day), expected);
  }
}

}  // namespace
}  // namespace ringpost::proto::pg
