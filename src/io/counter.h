// Counter and Gauge: numbers that one thread writes and any other may read, for metrics. No lock
// and no atomic read-modify-write: the writer's cost is that of a plain one.
#pragma once

#include <atomic>
#include <cstdint>

namespace ringpost::io {

class Counter {
 public:
  void add(uint64_t more = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
  }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_ = 0;
};

class Gauge {
 public:
  void set(uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_ = 0;
};

}  // namespace ringpost::io
