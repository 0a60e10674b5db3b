// Days and times as PostgreSQL counts them: date, time, timestamp, interval. timestamptz, which has
// a text here, is proto/pg/timestamptz.h; conversions to those of std::chrono are
// proto/pg/calendar.h.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace ringpost::proto::pg {

// Days since 2000-01-01, in the proleptic Gregorian calendar.
struct Date {
  int32_t days = 0;

  auto operator<=>(const Date&) const = default;
};
inline constexpr Date date_infinity{std::numeric_limits<int32_t>::max()};
inline constexpr Date date_minus_infinity{std::numeric_limits<int32_t>::min()};

// Microseconds since midnight, of a day without a change of clocks: up to 24:00:00, which is a day.
struct Time {
  int64_t microseconds = 0;

  auto operator<=>(const Time&) const = default;
};

// Microseconds since 2000-01-01 00:00 on a clock of no known zone: no point in time, as a
// Timestamptz is.
struct Timestamp {
  int64_t microseconds = 0;

  auto operator<=>(const Timestamp&) const = default;
};
inline constexpr Timestamp timestamp_infinity{std::numeric_limits<int64_t>::max()};
inline constexpr Timestamp timestamp_minus_infinity{std::numeric_limits<int64_t>::min()};

// The three do not add up: a month has no fixed days, a day no fixed hours. Each has its own sign.
struct Interval {
  int64_t microseconds = 0;
  int32_t days = 0, months = 0;

  bool operator==(const Interval&) const = default;
};
// PostgreSQL 17 and newer.
inline constexpr Interval interval_infinity{std::numeric_limits<int64_t>::max(),
                                            std::numeric_limits<int32_t>::max(),
                                            std::numeric_limits<int32_t>::max()};
inline constexpr Interval interval_minus_infinity{std::numeric_limits<int64_t>::min(),
                                                  std::numeric_limits<int32_t>::min(),
                                                  std::numeric_limits<int32_t>::min()};

}  // namespace ringpost::proto::pg
