// LatencyHistogram: how long things took, in buckets of which eight make a doubling: bucket k holds
// what took more than 2^((k-1)/8) seconds and at most 2^(k/8). These are the buckets of a
// Prometheus native histogram of schema 3; none is wider than 9.1 % of what is in it.
//
// One thread observes, any other may read (counter.h); 1.5 KiB each.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "src/io/clock.h"
#include "src/io/counter.h"

namespace ringpost::io {

namespace detail {

// Of the fractions of a double that begin with the same six bits: how many eighths of a doubling
// lie below them, and the one that lies among them, if there is one. As the first 31 bits.
struct EighthsCell {
  uint32_t bound;
  int below;
};
inline constexpr std::array<EighthsCell, 64> eighths_cells = [] {
  // (2^(j/8) - 1) * 2^31, rounded down.
  constexpr uint32_t eighths[] = {0,           194'363'875,   406'319'185,   637'458'089,
                                  889'516'851, 1'164'388'881, 1'464'138'954, 1'791'018'727};
  std::array<EighthsCell, 64> cells{};
  for (uint32_t i = 0; i < 64; ++i) {
    const uint32_t begin = i << 25, end = begin + ((1U << 25) - 1);
    cells[i] = {~0U, 0};  // where no bound is in the cell none is passed
    for (const uint32_t eighth : eighths) {
      if (eighth < begin)
        ++cells[i].below;
      else if (eighth <= end)
        cells[i].bound = eighth;
    }
  }
  return cells;
}();

}  // namespace detail

class LatencyHistogram {
 public:
  // From 2^-17 s (7.6 us), which also holds all that is shorter, to 2^4 s (16 s) and one for what
  // is longer than that.
  static constexpr int first = -17 * 8, last = 4 * 8;
  static constexpr size_t buckets = static_cast<size_t>(last - first) + 2;

  void observe(Duration took) {
    const int64_t ns = took.count() > 0 ? took.count() : 0;
    counts_[bucket_of(ns)].add();
    sum_ns_.add(static_cast<uint64_t>(ns));
  }

  // How many are in bucket `i`, from 0; the last has no upper bound.
  uint64_t count(size_t i) const { return counts_[i].value(); }
  // The upper bound of bucket `i`, in seconds. REQUIRES: it is not the last.
  static double bound(size_t i);
  double sum_s() const { return static_cast<double>(sum_ns_.value()) / 1e9; }

  static size_t bucket_of(int64_t ns) {
    // A double is 2^exponent times a fraction from 1 to below 2, whose first 31 bits tell which
    // eighth of the doubling it is in.
    const auto bits = std::bit_cast<uint64_t>(static_cast<double>(ns) / 1e9);
    const int exponent = static_cast<int>(bits >> 52) - 1023;
    const auto fraction = static_cast<uint32_t>(bits >> 21) & 0x7fff'ffffU;
    const detail::EighthsCell& cell = detail::eighths_cells[fraction >> 25];
    const int k = exponent * 8 + cell.below + (fraction > cell.bound ? 1 : 0);
    return k <= first ? 0 : k > last ? buckets - 1 : static_cast<size_t>(k - first);
  }

 private:
  std::array<Counter, buckets> counts_;
  Counter sum_ns_;
};

// One that takes memory from its first observation on.
class LazyLatencyHistogram {
 public:
  LazyLatencyHistogram() = default;
  LazyLatencyHistogram(const LazyLatencyHistogram&) = delete;
  LazyLatencyHistogram& operator=(const LazyLatencyHistogram&) = delete;
  ~LazyLatencyHistogram() { delete get(); }

  void observe(Duration took) {
    LatencyHistogram* histogram = at_.load(std::memory_order_relaxed);
    if (histogram == nullptr) [[unlikely]]
      at_.store(histogram = new LatencyHistogram, std::memory_order_release);
    histogram->observe(took);
  }
  // Null while there is none. It lives as long as this.
  const LatencyHistogram* get() const { return at_.load(std::memory_order_acquire); }

 private:
  std::atomic<LatencyHistogram*> at_ = nullptr;
};

}  // namespace ringpost::io
