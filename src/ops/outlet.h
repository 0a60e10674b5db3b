// Outlet: lines on their way to one descriptor, and the thread that writes them there.
//
// Whoever has a line leaves it and goes on: no shard waits for a disk, a terminal or a pipe. What
// is more than an outlet holds takes the place of its oldest, and how many lines were lost so is
// told when it can be; so are those that a full disk did not take. With nothing to write the thread
// sleeps. It may be in a write that never ends, so an outlet is never destroyed. spdlog's own
// asynchronous logger is not used, as its thread (in 1.10) wakes every ten seconds to find nothing.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost::ops {

class Outlet {
 public:
  using Clock = std::chrono::steady_clock;

  // Throws std::runtime_error when no thread can be had. Writes to `fd`, which stays open. `lost`
  // is called on the outlet's thread, with no lock held, with how many lines were lost since it
  // last was; it may put lines into any outlet.
  Outlet(int fd, size_t most_bytes, std::function<void(uint64_t lines)> lost);
  ~Outlet() = delete;

  // Whole lines, each with its newline. On any thread.
  void put(std::string lines);
  // Calls `what` once on the outlet's thread, with no lock held, at `when` or soon after. Another
  // call before that moves only its time.
  void call_at(Clock::time_point when, void (*what)());
  // Whether all is written within `limit`.
  bool drain(std::chrono::milliseconds limit);

 private:
  [[noreturn]] void write();
  bool wait(std::unique_lock<std::mutex>& lock);
  uint64_t write_lines(std::string_view text);

  const int fd_;
  const size_t most_bytes_;
  const std::function<void(uint64_t)> lost_;
  std::mutex mutex_;
  // All below under it.
  std::condition_variable filled_, drained_;
  std::deque<std::string> waiting_;
  size_t bytes_ = 0;  // of those
  uint64_t lost_lines_ = 0;
  uint64_t unwritten_lines_ = 0;  // told of when something can be written again
  bool writing_ = false;
  std::optional<Clock::time_point> due_;
  void (*call_)() = nullptr;
  bool torn_ = false;  // what was written last ends within a line; the thread's own
};

}  // namespace ringpost::ops
