// Deadlines: a hierarchical timing wheel of intrusive timers, one wheel a shard.
//
// A timer belongs to whoever embeds it and is stopped before it ends. Ticks are milliseconds. Six
// levels of 64 slots cover 2^36 ms (two years); a timer sits in the slot of the highest bit in
// which its tick differs from the wheel's, and moves down a level each time the wheel reaches that
// slot. Start and stop cost two pointer swaps and a bit, so that a request can afford several;
// almost all are stopped long before they expire.
#pragma once

#include <array>
#include <cstdint>

#include "src/io/clock.h"
#include "src/io/list.h"

namespace ringpost::io {

class Timer : private ListNode<Timer> {
 public:
  bool running() const { return linked(); }

 protected:
  Timer() = default;
  ~Timer() = default;

 private:
  friend class TimerWheel;
  template <class T, class Tag>
  friend class List;

  // Called once, from the reactor's loop, at or after the deadline. The timer is already stopped.
  virtual void expired() = 0;

  // When it expires, and which slot of the wheel it was put into; 2^54 ms are half a million years.
  uint64_t tick_ : 54 = 0;
  uint64_t slot_ : 10 = 0;
};

class TimerWheel {
 public:
  explicit TimerWheel(Time now);

  // Runs `timer` (not running) until `deadline`; a deadline that has passed expires in the next
  // advance().
  void start(Timer& timer, Time deadline);
  void stop(Timer& timer);

  // Expires all timers whose deadline is not after `now`. Timers may be started and stopped by
  // those that expire.
  void advance(Time now);

  // No timer expires before this moment (Time::max() when none runs): how long the loop may sleep.
  // It may be early, never late.
  Time next() const;

 private:
  static constexpr unsigned bits = 6, slots = 1U << bits, levels = 6;
  static_assert(levels * slots <= 1U << 10, "a Timer's slot_ holds any slot");

  struct Slot {
    unsigned level, index;
    uint64_t tick;  // when the wheel reaches it
  };
  void place(Timer& timer);
  // The occupied slot that the wheel reaches first. REQUIRES: some timer runs.
  Slot first() const;
  bool idle() const;

  Time epoch_;
  uint64_t now_ = 0;       // ticks since epoch_ up to which all is expired
  uint64_t next_ = ~0ULL;  // no slot is reached before this tick
  std::array<uint64_t, levels> occupied_{};
  std::array<std::array<List<Timer, Timer>, slots>, levels> wheel_;
};

}  // namespace ringpost::io
