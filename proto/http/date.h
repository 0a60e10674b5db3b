// The Date field's format, IMF-fixdate (RFC 9110, 5.6.7):
//
//     Sun, 06 Nov 1994 08:49:37 GMT
//
// Neither locale nor clock: a server formats it once a second and keeps it.
#pragma once

#include <cstdint>

namespace ringpost::proto::http {

inline constexpr int date_length = 29;

// Writes `unix_seconds` (years 1970 to 9999) into 29 characters at `at`.
void write_date(char* at, int64_t unix_seconds);

}  // namespace ringpost::proto::http
