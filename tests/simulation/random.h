// Random: all chance in a simulation comes from one of these, so that its seed repeats it.
//
// splitmix64: small, fast, and the same on every machine and library, which the distributions of
// <random> are not.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ringpost::simulation {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  // From `least` to `most`, both included.
  int64_t between(int64_t least, int64_t most) {
    if (most <= least) return least;
    const auto span = static_cast<uint64_t>(most - least) + 1;
    return least + static_cast<int64_t>(next() % span);
  }
  size_t below(size_t count) { return static_cast<size_t>(next() % count); }

  // True `per_million` times in a million.
  bool chance(uint32_t per_million) { return per_million != 0 && next() % 1'000'000 < per_million; }

  // Mostly small, at times up to `most`: each power of two is as likely as any other.
  int64_t skewed(int64_t most) {
    if (most <= 0) return 0;
    const int64_t limit = most >> below(16);
    return between(0, limit);
  }

  // A source of its own, so that what one part draws does not change what another does.
  Random fork() { return Random(next()); }

 private:
  uint64_t state_;
};

}  // namespace ringpost::simulation
