#include "src/ops/log.h"

#include <atomic>
#include <chrono>
#include <climits>
#include <cstdio>
#include <ctime>
#include <exception>
#include <memory>
#include <mutex>
#include <string>

#include <poll.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "src/ops/log_limits.h"
#include "src/ops/outlet.h"

namespace ringpost::ops {

namespace {

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      break;
  }
  return spdlog::level::err;
}

// What may wait for a slow disk or terminal; past that the oldest are lost.
constexpr size_t event_bytes = 256 * 1024, access_bytes = 4 << 20;

// How long the end of the process waits for who reads what is written.
constexpr std::chrono::milliseconds end_limit{1'000};

std::atomic<bool> begun = false, access_begun = false;
std::atomic<LogFormat> format = LogFormat::logfmt;

class ToOutlet final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit ToOutlet(Outlet& outlet) : outlet_(outlet) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    outlet_.put({line.data(), line.size()});
  }
  void flush_() override {}

  Outlet& outlet_;
};

// What its threads use outlives all static objects.
struct Log {
  Outlet& events = *new Outlet(STDERR_FILENO, event_bytes, [](uint64_t lines) {
    log(Level::warning, "log_lines_lost", {{"of", "events"}, {"count", lines}});
  });
  spdlog::logger logger{"ringpost", std::make_shared<ToOutlet>(events)};
  std::mutex mutex;
  LogLimits limits;  // under it
};

Log& the_log() {
  static Log& instance = *[] {
    auto* made = new Log;
    made->logger.set_pattern(format == LogFormat::json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v)"
                                                       : "%Y-%m-%dT%H:%M:%S.%eZ %v",
                             spdlog::pattern_time_type::utc);
    begun = true;
    return made;
  }();
  return instance;
}

Outlet& access_outlet() {
  static Outlet& instance = *[] {
    auto* made = new Outlet(STDOUT_FILENO, access_bytes, [](uint64_t lines) {
      log(Level::warning, "log_lines_lost", {{"of", "access"}, {"count", lines}});
    });
    access_begun = true;
    return made;
  }();
  return instance;
}

LogLimits::Second this_second() {
  return std::chrono::floor<std::chrono::seconds>(
      std::chrono::steady_clock::now().time_since_epoch());
}

void tell_of_limited(LogLimits::Second before) {
  LogLimits::Untold untold;
  {
    const std::lock_guard lock(the_log().mutex);
    untold = the_log().limits.take(before);
  }
  for (const auto& [kind, count] : untold)
    log(Level::warning, "lines_not_logged", {{"kind", kind}, {"count", count}});
}

}  // namespace

void set_log_level(Level level) {
  the_log().logger.set_level(spdlog_level(level));
}

void set_log_format(LogFormat wanted) {
  format = wanted;
}

LogFormat log_format() {
  return format;
}

void log(Level level, std::string_view event, std::initializer_list<Field> fields) {
  spdlog::logger& logger = the_log().logger;
  if (!logger.should_log(spdlog_level(level))) return;
  const std::span<const Field> all(fields.begin(), fields.size());
  logger.log(spdlog_level(level), "{}",
             format == LogFormat::json ? json(level, event, all) : logfmt(level, event, all));
}

void log_limited(Level level, std::string_view event, std::initializer_list<Field> fields) {
  Log& the = the_log();
  if (!the.logger.should_log(spdlog_level(level))) return;
  const LogLimits::Second now = this_second();
  {
    const std::lock_guard lock(the.mutex);
    if (!the.limits.admit(event, now)) {
      const auto next = std::chrono::steady_clock::time_point(now + std::chrono::seconds(1));
      return the.events.call_at(next, [] { tell_of_limited(this_second()); });
    }
  }
  log(level, event, fields);
}

void write_access(std::string lines) {
  try {
    access_outlet().put(std::move(lines));
  } catch (const std::exception& error) {  // no thread for it: requests are served without
    log_limited(Level::error, "access_log_not_written", {{"why", error.what()}});
  }
}

bool end_log() {
  bool ended = true;
  if (begun) {
    tell_of_limited(LogLimits::Second::max());
    ended = the_log().events.drain(end_limit);
  }
  if (access_begun) ended &= access_outlet().drain(end_limit);
  return ended;
}

void write_line(std::string_view line) {
  // Takes no memory: this is how a process that has none left ends.
  char text[PIPE_BUF];
  size_t length = 0;
  const auto add = [&](std::string_view part) {
    length += part.copy(text + length, sizeof text - 4 - length);
  };
  if (format == LogFormat::json) {
    char time[32];
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    const size_t size = std::strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%SZ", &parts);
    add(R"({"time":")");
    add({time, size});
    add(R"(","level":"error","event":"ended","why":")");
    for (const char& c : line) {
      if (c == '"' || c == '\\')
        add("\\"), add({&c, 1});
      else
        add(static_cast<unsigned char>(c) < ' ' ? " " : std::string_view(&c, 1));
    }
    text[length++] = '"';
    text[length++] = '}';
  } else {
    add(line);
  }
  text[length++] = '\n';
  // Nothing is set to non-blocking: standard error may be shared with other processes. A pipe that
  // is ready takes PIPE_BUF bytes at once.
  pollfd ready{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&ready, 1, static_cast<int>(end_limit.count())) != 1) return;
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text, length);
}

}  // namespace ringpost::ops
