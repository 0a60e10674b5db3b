// PostgreSQL's days and times as those of std::chrono, and back. Both calendars are the proleptic
// Gregorian one with a year 0, which PostgreSQL writes as 1 BC. What is infinite has no day:
// REQUIRES: is_finite(). A year_month_day ends at the years -32767 and 32767, sys_days do not; a
// sys_time of microseconds ends in the year 294247, 29 years before PostgreSQL's last.
#pragma once

#include <chrono>

#include "proto/pg/timestamptz.h"
#include "proto/pg/values.h"

namespace ringpost::proto::pg {

inline constexpr std::chrono::sys_days day_0 =
    std::chrono::sys_days(std::chrono::year(2000) / 1 / 1);

constexpr bool is_finite(Date date) {
  return date != date_infinity && date != date_minus_infinity;
}
constexpr bool is_finite(Timestamp time) {
  return time != timestamp_infinity && time != timestamp_minus_infinity;
}
constexpr bool is_finite(Timestamptz time) {
  return time != infinity && time != minus_infinity;
}

constexpr std::chrono::sys_days to_days(Date date) {
  return day_0 + std::chrono::days(date.days);
}
constexpr Date to_date(std::chrono::sys_days day) {
  return {static_cast<int32_t>((day - day_0).count())};
}

constexpr std::chrono::sys_time<std::chrono::microseconds> to_time(Timestamptz time) {
  return day_0 + std::chrono::microseconds(time.microseconds);
}
constexpr Timestamptz to_timestamptz(std::chrono::sys_time<std::chrono::microseconds> time) {
  return {(time - day_0).count()};
}

// On a clock of no known zone.
constexpr std::chrono::local_time<std::chrono::microseconds> to_time(Timestamp time) {
  return std::chrono::local_days(day_0.time_since_epoch()) +
         std::chrono::microseconds(time.microseconds);
}
constexpr Timestamp to_timestamp(std::chrono::local_time<std::chrono::microseconds> time) {
  return {(time - std::chrono::local_days(day_0.time_since_epoch())).count()};
}

constexpr std::chrono::microseconds to_time(Time time) {
  return std::chrono::microseconds(time.microseconds);
}

}  // namespace ringpost::proto::pg
