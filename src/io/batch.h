// Batch: how long a turn of the reactor waits for more than the first completion, as learnt from
// recent turns.
//
// A turn costs its system call, its wake-up and, at the other end, another's: what is served
// together is cheaper for all. A busy shard gains by waiting a moment; elsewhere a moment is what
// its clients would lose. What tells them apart is not how much comes: eight clients on a fast
// machine bring as much in a turn as a thousand on a slow one, yet all of the eight wait for that
// turn, and PostgreSQL with them. It is how long a request takes already. By Little's law that is
// the number in flight over the number answered in a unit of time. A turn waits
//
//     a quarter of that: what waits here would mostly have waited there, for a server that is not
//     woken for each alone (bench/turns.md),
//     no more than `most`, the price in the worst case,
//     and not at all where that is less than a timer is worth (`least`), where at the rate at which
//     completions came not every second wait would bring one, where the last one has brought none,
//     or where few are in flight (`few`): they would wait for themselves, in each of the turns that
//     a long answer takes.
//
// It ends before when half as many completions have come as requests are in flight, or as there are
// buffers to receive into, or when a timer is due. An idle shard, and one that serves a few clients
// quickly, therefore waits for the first completion alone.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>

#include "src/io/clock.h"

namespace ringpost::io {

class Batch {
 public:
  // `most`: 0 to wait for the first completion alone, always.
  explicit Batch(Duration most) : most_(most) {}

  // A request was taken, and was answered.
  void asked() { ++in_flight_; }
  void answered() {
    assert(in_flight_ != 0);
    --in_flight_;
    ++answered_;
  }

  uint32_t in_flight() const { return in_flight_; }

  // A turn has waited, and `completions` have come since the one before it, `passed` ago.
  void turned(unsigned completions, Duration passed);

  // What the next turn is to wait for: so many completions, or so long. A `limit` of 0: the first
  // completion, however long it takes.
  struct Wait {
    unsigned completions = 1;
    Duration limit{};
    bool operator==(const Wait&) const = default;
  };
  // `room`: no more completions can come.
  Wait next(size_t room) const;

  static constexpr Duration least = std::chrono::microseconds(20);
  static constexpr uint32_t few = 8;

 private:
  Duration most_;
  uint32_t in_flight_ = 0, answered_ = 0;  // now, and since turned()
  bool in_vain_ = false;                   // the last turn has waited, and nothing has come
  // Sums over recent turns, the older the less: microseconds, requests in flight times those,
  // requests answered, completions.
  float time_ = 0, request_time_ = 0, answers_ = 0, completions_ = 0;
};

}  // namespace ringpost::io
