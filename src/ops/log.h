// The log: one line for each event in the life of the process, in logfmt, on standard error.
//
//     2026-01-31T08:00:00.123Z level=info event=ready port=8080 shards=2
//
// Values with blanks, quotes or controls are quoted and escaped, so that a line stays a line.
// spdlog makes it, a thread of its own writes it: a shard never waits for a disk or a terminal, and
// when they are too slow for too long, the oldest lines are lost. With nothing to write it sleeps.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace ringpost::ops {

enum class Level { debug, info, warning, error };

struct Field {
  std::string_view key;
  std::string value;

  Field(std::string_view name, std::string text) : key(name), value(std::move(text)) {}
  Field(std::string_view name, std::string_view text) : key(name), value(text) {}
  Field(std::string_view name, const char* text) : key(name), value(text) {}
  template <class T>
    requires std::is_arithmetic_v<T>
  Field(std::string_view name, T number) : key(name), value(std::to_string(number)) {}
};

// "debug", "info", "warning" or "error"; false when `name` is none of them.
bool set_log_level(std::string_view name);

void log(Level level, std::string_view event, std::initializer_list<Field> fields = {});

// Waits until what is still queued is written. The last call. False when that was not done within a
// second, because standard error takes nothing: the log's thread then stays in its write, which may
// hold the lock of stderr, and the process has to end by std::_Exit, which does not ask for it.
bool end_log();

// Writes one line to standard error past the log, for what is said before it begins or after it has
// ended. A line that standard error does not take within a second is lost.
void write_line(std::string_view line);

// What follows the time in a line: for tests and for log() itself.
std::string logfmt(Level level, std::string_view event, std::initializer_list<Field> fields);

}  // namespace ringpost::ops
