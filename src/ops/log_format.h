// How a line of the log is written: logfmt or JSON.
//
//     time=... is written before either by whoever has the clock (log.cpp, http's access log):
//     2026-01-31T08:00:00.123Z level=info event=ready port=8080
//     {"time":"2026-01-31T08:00:00.123Z","level":"info","event":"ready","port":8080}
//
// A line stays a line whatever the values hold: in logfmt those with blanks, quotes or controls are
// quoted and escaped; in JSON (RFC 8259) what is not UTF-8 becomes U+FFFD. No I/O, no clock.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace ringpost::ops {

enum class Level { debug, info, warning, error };
enum class LogFormat { logfmt, json };

// By their names in settings; nothing when `name` is none.
std::optional<Level> level_of(std::string_view name);
std::optional<LogFormat> log_format_of(std::string_view name);

struct Field {
  std::string_view key;  // of [a-z0-9_]+; lives as long as the field
  std::string value;
  bool number = false;  // JSON has it without quotes

  Field(std::string_view name, std::string text) : key(name), value(std::move(text)) {}
  Field(std::string_view name, std::string_view text) : key(name), value(text) {}
  Field(std::string_view name, const char* text) : key(name), value(text) {}
  template <class T>
    requires std::is_arithmetic_v<T>
  Field(std::string_view name, T what) : key(name), value(std::to_string(what)), number(true) {}
};

// What follows the time.
std::string logfmt(Level level, std::string_view event, std::span<const Field> fields);
// The same within braces, of which the first stands before the time.
std::string json(Level level, std::string_view event, std::span<const Field> fields);

// Parts of a line, for who writes many of them. A value as logfmt has it, in quotes where it must.
void append_logfmt_value(std::string& line, std::string_view value);
// A string as JSON has it, with its quotes.
void append_json_string(std::string& line, std::string_view value);

}  // namespace ringpost::ops
