// Profiler: samples the thread that it was made on, and times what its tasks wait for. While there
// is none in the process, that costs a comparison with zero at each wait.
//
//     const io::Profiler profiler;   // sampling
//     ...
//     profiler.take();               // a Profile
//
// Samples are taken by SIGPROF, from a timer that runs as the thread uses its CPU. The handler
// takes no memory and no lock: it copies addresses to a place that was kept for them. It finds the
// native stack by frame pointers (the build keeps them) within the bounds of the thread's stack,
// and the tasks from the one that runs (running.h) to the one above it, and so on; each of them is
// suspended until the one below it has ended, so their frames are there.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>

#include <signal.h>
#include <time.h>

#include "src/io/clock.h"
#include "src/io/profile.h"

namespace ringpost::io {

class Wait;

class Profiler {
 public:
  // One at a time on a thread, which also ends it. A sample for each `interval` of CPU time; the
  // kernel looks at such timers at its ticks (1 to 10 ms), and the samples then weigh more. Throws
  // std::system_error.
  explicit Profiler(std::chrono::nanoseconds interval = std::chrono::milliseconds(1));
  ~Profiler();
  Profiler(const Profiler&) = delete;
  Profiler& operator=(const Profiler&) = delete;

  // What was seen since the last call, or the beginning.
  Profile take();

  // Whether any thread is sampled: what is asked at each wait.
  static bool any() { return count_.load(std::memory_order_relaxed) != 0; }
  // For Wait, then: it has suspended the task of the frame `awaiter`, or is about to resume it.
  [[gnu::cold]] static void wait_begins(const Wait& wait, const void* awaiter);
  [[gnu::cold]] static void wait_ends(const Wait& wait);

 private:
  static constexpr size_t most_tasks = 16, most_frames = 64;
  struct Sample {
    uint32_t ticks;
    uint16_t tasks, frames;
    std::array<const void*, most_tasks + most_frames> code;
  };
  struct Begun {
    Histogram* times;
    Time since;
  };

  static void handle(int signal, siginfo_t* info, void* context);
  void note(uint32_t ticks, const void* context);
  void collect();
  void begin(const Wait& wait, const void* awaiter);
  void end(const Wait& wait);

  static inline constinit std::atomic<unsigned> count_ = 0;

  // The handler writes at written_ and nobody else does; read_ follows it.
  static constexpr size_t capacity = 1024;
  std::unique_ptr<std::array<Sample, capacity>> samples_;
  std::atomic<size_t> written_ = 0, read_ = 0, lost_ = 0;

  uintptr_t stack_end_ = 0;
  timer_t timer_{};
  Profile profile_;
  Profile::Wait key_{};  // kept for its memory
  std::unordered_map<const Wait*, Begun> waiting_;
};

}  // namespace ringpost::io
