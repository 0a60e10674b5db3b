// The log: one line for each event in the life of the process, on standard error, in logfmt or JSON
// (log_format.h).
//
//     2026-01-31T08:00:00.123Z level=info event=ready port=8080 shards=2
//
// spdlog makes it, a thread of its own writes it (outlet.h): a shard never waits for a disk or a
// terminal. The access log goes to standard output by the same way, with a thread of its own, so
// that neither stream stops the other.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "src/ops/log_format.h"

namespace ringpost::ops {

// At any time, on any thread.
void set_log_level(Level level);
// Before the first line.
void set_log_format(LogFormat format);
LogFormat log_format();

void log(Level level, std::string_view event, std::initializer_list<Field> fields = {});

// The same of what may happen for each request: at most ten lines of a kind in a second, in the
// whole process; how many more there were is told when the second has passed, as lines_not_logged.
void log_limited(Level level, std::string_view event, std::initializer_list<Field> fields = {});

// Whole lines of the access log.
void write_access(std::string lines);

// Waits until what is still queued is written. The last call. False when that was not done within a
// second, because nobody takes it: the log's thread then stays in its write, and the process has to
// end by std::_Exit.
bool end_log();

// Writes one line to standard error past the log, as an error in the log's format, for what is said
// before it begins or after it has ended. A line that standard error does not take within a second
// is lost. Takes no memory.
void write_line(std::string_view line);

}  // namespace ringpost::ops
