#include "src/ops/log.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <climits>
#include <future>
#include <memory>
#include <system_error>
#include <thread>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

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

// How long the end of the process waits for standard error.
constexpr std::chrono::milliseconds end_limit{1'000};

std::atomic<bool> begun = false;

// Signals are for the main thread.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

spdlog::logger& logger() {
  static const auto instance = [] {
    begun = true;
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

bool end_log() {
  if (!begun) return true;
  // shutdown() waits for the log's thread, and has no limit to that: it gets a thread to wait in.
  const auto ended = std::make_shared<std::promise<void>>();
  std::future<void> end = ended->get_future();
  try {
    std::thread([ended] {
      spdlog::shutdown();
      ended->set_value();
    }).detach();
  } catch (const std::system_error&) {  // no thread is to be had
    return false;
  }
  return end.wait_for(end_limit) == std::future_status::ready;
}

void write_line(std::string_view line) {
  // Takes no memory: this is how a process that has none left ends.
  char text[PIPE_BUF];
  const size_t length = line.copy(text, sizeof text - 1);
  text[length] = '\n';
  // Nothing is set to non-blocking: standard error may be shared with other processes. A pipe that
  // is ready takes PIPE_BUF bytes at once.
  pollfd ready{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&ready, 1, static_cast<int>(end_limit.count())) != 1) return;
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text, length + 1);
}

}  // namespace ringpost::ops
