// timestamptz: microseconds since 2000-01-01 00:00 UTC, and its text by RFC 3339.
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

// The longest text that write_rfc3339 writes.
inline constexpr int timestamp_text_length = 32;

// Writes "2026-01-31T08:00:00Z", with six fractional digits when they are not all zero; returns
// where it ends. RFC 3339 has the years 0000 to 9999. Outside of them stands what ISO 8601 calls an
// expanded year, with its sign and at least six digits ("+012026",
// "-000044" for 45 BC), and for the infinities "infinity" and "-infinity", as PostgreSQL writes
// them.
char* write_rfc3339(char* at, Timestamptz time);

}  // namespace ringpost::proto::pg
