#include "src/ops/log.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <climits>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spdlog/sinks/base_sink.h>
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

// Where the logger leaves its lines, and the thread that writes them. spdlog's own asynchronous
// logger is not used, as its thread (in 1.10) wakes every ten seconds to find nothing.
class Queue final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  Queue() {
    std::thread([this] { write(); }).detach();
  }

  // Whether all is written within `limit`.
  bool drain(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    return drained_.wait_for(lock, limit, [this] { return lines_.empty() && !writing_; });
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    if (lines_.size() == queue_lines) lines_.pop_front();
    lines_.emplace_back(line.data(), line.size());
    filled_.notify_one();
  }
  void flush_() override {}

  [[noreturn]] void write() {
    block_signals();
    std::unique_lock lock(mutex_);
    for (;;) {
      filled_.wait(lock, [this] { return !lines_.empty(); });
      const std::string line = std::move(lines_.front());
      lines_.pop_front();
      writing_ = true;
      lock.unlock();
      std::fwrite(line.data(), 1, line.size(), stderr);
      lock.lock();
      writing_ = false;
      if (lines_.empty()) drained_.notify_all();
    }
  }

  std::condition_variable filled_, drained_;
  std::deque<std::string> lines_;
  bool writing_ = false;
};

// The thread may be in a write that never ends: what it uses outlives all static objects.
struct Log {
  std::shared_ptr<Queue> queue = std::make_shared<Queue>();
  spdlog::logger logger{"ringpost", queue};
};

Log& the_log() {
  static Log& instance = *[] {
    auto* made = new Log;
    made->logger.set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %v", spdlog::pattern_time_type::utc);
    begun = true;
    return made;
  }();
  return instance;
}

spdlog::logger& logger() {
  return the_log().logger;
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
  return !begun || the_log().queue->drain(end_limit);
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
