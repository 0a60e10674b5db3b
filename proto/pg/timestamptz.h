// timestamptz: microseconds since 2000-01-01 00:00 UTC, and its text by RFC 3339.
//
//     2026-01-31T08:00:00Z              no fraction when its six digits are all zero
//     2026-01-31T08:00:00.123456Z
//     +012026-01-31T08:00:00Z           outside of the years 0000 to 9999, which RFC 3339 ends at:
//     -000044-03-15T08:00:00Z           ISO 8601's expanded year, six digits, as ECMAScript reads
//     infinity, -infinity               as PostgreSQL's to_json writes them
//
// The calendar is the proleptic Gregorian one, with a year 0000 (1 BC), as PostgreSQL's is. Every
// value of the 64 bits has a text, those that PostgreSQL (4713 BC to 294276 AD) refuses too.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace ringpost::proto::pg {

struct Timestamptz {
  int64_t microseconds = 0;

  auto operator<=>(const Timestamptz&) const = default;
};

// PostgreSQL's own values for `infinity` and `-infinity`.
inline constexpr Timestamptz infinity{std::numeric_limits<int64_t>::max()};
inline constexpr Timestamptz minus_infinity{std::numeric_limits<int64_t>::min()};

// The room that write_rfc3339 needs; the longest text is of 30 characters.
inline constexpr int timestamp_text_length = 32;

// Returns where the text ends. Within the room, what stands behind the end is not kept.
char* write_rfc3339(char* at, Timestamptz time);

}  // namespace ringpost::proto::pg
