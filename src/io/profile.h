// Profile: where the time of tasks went. CPU samples, each a native stack joined on to the tasks
// that wait for the one that ran; and how long tasks waited, by what for and on whose behalf.
//
// A profile is filled by a Profiler (profiler.h) on each thread, merged, and then written as text:
// folded stacks, a line each, the root first, frames parted by `;`, then a blank and a number.
// Flame graph tools read them.
#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace ringpost::io {

class Symbols;

// How often each time came up, to a sixteenth of it.
class Histogram {
 public:
  using Time = std::chrono::nanoseconds;

  void add(Time time);
  void merge(const Histogram& other);

  uint64_t count() const { return count_; }
  Time total() const { return total_; }
  // The time that `part` (0 to 1) of all are no longer than; 0 of none.
  Time quantile(double part) const;

 private:
  // 16 of each power of two, up to 2^44 ns (five hours); longer ones count as that.
  static constexpr unsigned parts_bits = 4, largest_bits = 44;
  static size_t bucket_of(uint64_t nanoseconds);
  static uint64_t end_of(size_t bucket);

  std::array<uint32_t, (largest_bits - parts_bits + 1) << parts_bits> buckets_{};
  uint64_t count_ = 0;
  Time total_{};
};

struct Profile {
  // Addresses of code. Of a task, one that carries its coroutine's name.
  struct Stack {
    std::vector<const void*> tasks;   // the one that runs or waits first, then who waits for it
    std::vector<const void*> frames;  // the innermost first; returns to, but for that one
    std::strong_ordering operator<=>(const Stack&) const = default;
  };
  struct Wait {
    Stack stack;       // tasks alone
    const char* what;  // the type of what is awaited, as type_info names it
    std::strong_ordering operator<=>(const Wait&) const = default;
  };

  std::map<Stack, uint64_t> samples;  // the value in ticks of the profiler's clock
  std::map<Wait, Histogram> waits;
  uint64_t lost = 0;  // ticks for which there was no room

  void merge(const Profile& other);
};

// Stacks of CPU time: the tasks, then what the innermost one has called. What runs for no task in
// particular (the reactor's own work, for all of them) has its native stack alone.
std::string folded_samples(const Profile& profile, Symbols& symbols);
// Stacks of waiting time in microseconds: the tasks, then what is awaited.
std::string folded_waits(const Profile& profile, Symbols& symbols);
// The same for people: a line each, the largest sum first: how often, in all, p50 and p99.
std::string table_of_waits(const Profile& profile, Symbols& symbols);

// Writes cpu.folded, waits.folded and waits.txt into `folder`, which is made. What failed, or
// nothing.
std::string write_profile(const Profile& profile, const std::string& folder);

}  // namespace ringpost::io
