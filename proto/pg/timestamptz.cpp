#include "proto/pg/timestamptz.h"

#include <cstring>

namespace ringpost::proto::pg {

namespace {

struct Pairs {
  char of[100][2];
  constexpr Pairs() : of() {
    for (int i = 0; i < 100; ++i) {
      of[i][0] = static_cast<char>('0' + i / 10);
      of[i][1] = static_cast<char>('0' + i % 10);
    }
  }
};
constexpr Pairs pairs;

char* two(char* at, uint32_t value) {
  std::memcpy(at, pairs.of[value], 2);
  return at + 2;
}

struct Date {
  int64_t year;
  uint32_t month, day;
};

// Of the proleptic Gregorian calendar. Years are counted from March, so that the leap day comes
// last, and in eras of 400 years, which are all alike.
Date civil(int64_t days_since_2000) {
  constexpr int64_t era_days = 146097, days_from_year_0 = 730425;  // 0000-03-01 to 2000-01-01
  const int64_t days = days_since_2000 + days_from_year_0;
  const int64_t era = (days >= 0 ? days : days - (era_days - 1)) / era_days;
  const auto day_of_era = static_cast<uint32_t>(days - era * era_days);
  const uint32_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const uint32_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const uint32_t month_from_march = (5 * day_of_year + 2) / 153;
  const uint32_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  const uint32_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  return {static_cast<int64_t>(year_of_era) + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

char* write_year(char* at, int64_t year) {
  if (year >= 0 && year <= 9999) {
    at = two(at, static_cast<uint32_t>(year / 100));
    return two(at, static_cast<uint32_t>(year % 100));
  }
  *at++ = year < 0 ? '-' : '+';
  const auto magnitude =
      static_cast<uint32_t>(year < 0 ? -year : year);  // PostgreSQL's range ends at 294276
  at = two(at, magnitude / 10000);
  at = two(at, magnitude / 100 % 100);
  return two(at, magnitude % 100);
}

}  // namespace

char* write_rfc3339(char* at, Timestamptz time) {
  if (time == infinity || time == minus_infinity) {
    constexpr char text[] = "-infinity";
    const size_t skipped = time == infinity ? 1 : 0, length = sizeof text - 1 - skipped;
    std::memcpy(at, text + skipped, length);
    return at + length;
  }
  constexpr int64_t day_microseconds = 86'400'000'000;
  int64_t days = time.microseconds / day_microseconds, rest = time.microseconds % day_microseconds;
  if (rest < 0) {
    rest += day_microseconds;
    --days;
  }
  const auto seconds = static_cast<uint32_t>(rest / 1'000'000),
             fraction = static_cast<uint32_t>(rest % 1'000'000);
  const Date date = civil(days);
  at = write_year(at, date.year);
  *at++ = '-';
  at = two(at, date.month);
  *at++ = '-';
  at = two(at, date.day);
  *at++ = 'T';
  at = two(at, seconds / 3600);
  *at++ = ':';
  at = two(at, seconds / 60 % 60);
  *at++ = ':';
  at = two(at, seconds % 60);
  if (fraction != 0) {
    *at++ = '.';
    at = two(at, fraction / 10000);
    at = two(at, fraction / 100 % 100);
    at = two(at, fraction % 100);
  }
  *at++ = 'Z';
  return at;
}

}  // namespace ringpost::proto::pg
