#include "src/ops/log.h"

#include <algorithm>

#include <pthread.h>
#include <signal.h>
#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace ringpost::ops {

namespace {

constexpr std::string_view names[] = {"debug", "info", "warning", "error"};

spdlog::level::level_enum level_of(Level level) {
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

// Lines that may wait for a slow disk or terminal; past that the oldest are lost.
constexpr size_t queue_lines = 1024;

// Signals are for the main thread.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

spdlog::logger& logger() {
  static const auto instance = [] {
    spdlog::init_thread_pool(queue_lines, 1, block_signals);
    auto made = std::make_shared<spdlog::async_logger>(
        "ringpost", std::make_shared<spdlog::sinks::stderr_sink_mt>(), spdlog::thread_pool(),
        spdlog::async_overflow_policy::overrun_oldest);
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %v", spdlog::pattern_time_type::utc);
    return made;
  }();
  return *instance;
}

void append_value(std::string& line, std::string_view value) {
  const bool plain = !value.empty() && std::none_of(value.begin(), value.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f;
  });
  if (plain) {
    line += value;
    return;
  }
  line += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (c == '\n') {
      line += "\\n";
    } else if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) {
      line += ' ';
    } else {
      line += c;
    }
  }
  line += '"';
}

}  // namespace

bool set_log_level(std::string_view name) {
  for (size_t i = 0; i < std::size(names); ++i) {
    if (names[i] == name) {
      logger().set_level(level_of(static_cast<Level>(i)));
      return true;
    }
  }
  return false;
}

std::string logfmt(Level level, std::string_view event, std::initializer_list<Field> fields) {
  std::string line("level=");
  line += names[static_cast<size_t>(level)];
  line += " event=";
  line += event;
  for (const Field& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    append_value(line, field.value);
  }
  return line;
}

void log(Level level, std::string_view event, std::initializer_list<Field> fields) {
  if (logger().should_log(level_of(level)))
    logger().log(level_of(level), "{}", logfmt(level, event, fields));
}

void end_log() {
  spdlog::shutdown();
}

}  // namespace ringpost::ops
