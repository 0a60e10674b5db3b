// Running: which task runs on this thread, noted for profiles (profiler.h). It is read by a signal
// handler on the same thread at any instruction, so it never names a frame that has been freed.
#pragma once

#include <atomic>

namespace ringpost::io {

namespace detail {
// The frame; null between tasks. Found without a call: tasks change with each await.
[[gnu::tls_model("initial-exec")]] inline constinit thread_local std::atomic<void*> running{};
}  // namespace detail

inline void* running_task() {
  return detail::running.load(std::memory_order_relaxed);
}

// From here on the task of this frame runs. What the frame says of itself has been written before.
inline void note_running(void* frame) {
  std::atomic_signal_fence(std::memory_order_release);
  detail::running.store(frame, std::memory_order_relaxed);
}

}  // namespace ringpost::io
