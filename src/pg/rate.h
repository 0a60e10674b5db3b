// Rate: how many queries a second PostgreSQL answers this pool when it has all that it can do.
//
// Measured only while queries wait in the pool's line: with fewer than it can answer, what it
// answers is what it was asked. The time from the answers of one turn to those of another, not less
// than a window later, and what was answered in between make a sample; samples are averaged, the
// newest with a quarter, so that one stall or one full buffer is not taken for the rule. A rate
// that no sample has confirmed for a second is forgotten: what refuses by it may keep the line so
// short that nothing is measured any more, and then it must not refuse for ever.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "src/io/clock.h"

namespace ringpost::pg {

class Rate {
 public:
  // `count` queries were answered at `now`. `saturated`: others wait in line.
  void answered(uint64_t count, bool saturated, io::Time now);

  // Queries a second, more than 0; no value while it is not known.
  std::optional<double> per_second(io::Time now) const;

 private:
  double per_second_ = 0;
  io::Time confirmed_, began_;  // the last sample; the one that is being taken
  uint64_t count_ = 0;
  bool measuring_ = false;
};

}  // namespace ringpost::pg
