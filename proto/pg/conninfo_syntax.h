// The two syntaxes of a connection string. Both read what libpq reads, byte for byte, and refuse
// what it refuses (tests/proto/pg/conninfo_libpq_test.cpp has it as the oracle); the settings may
// hold a part of the string when it is refused.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "proto/pg/conninfo_settings.h"

namespace ringpost::proto::pg {

// `text` is what stands behind postgresql:// or postgres://.
std::expected<void, std::string> parse_uri(std::string_view text, Settings& settings);

// name = value ..., a value with blanks in single quotes; \ takes the next character as it is.
std::expected<void, std::string> parse_keywords(std::string_view text, Settings& settings);

// A setting that the string gives, for both: it may be one that has gone, by its old name. The
// error shows a name that is unknown only where it can't be a part of a password (`may_show`).
std::expected<void, std::string> store(Settings& settings, std::string_view name, std::string value,
                                       bool may_show);

// isspace() of the C locale.
constexpr bool is_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

}  // namespace ringpost::proto::pg
