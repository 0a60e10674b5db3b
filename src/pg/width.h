// Width: over how many connections the queries of one kind are spread, learnt from what more or
// fewer of them bring.
//
// A backend is a process. Where PostgreSQL has a CPU to spare for it, another one answers as much
// again; where it has none, several cost it two to three times the CPU of one, for wake-ups and
// switches, and answer no more. Neither what a statement takes nor how long a pipeline is tells the
// two apart: backends that compete make both grow, and a rule that then uses more of them feeds
// itself. So it is tried: turns at the width that is in force and turns at another one, side by
// side, and what counts is how long a query takes, from being asked to its answer, by Little's law:
// the time that queries spent, over how many were answered. Where clients wait for their answers
// that is the rate turned over; where they do not, it is what they feel.
//
//     resting     a trial is due, and there is enough to measure      settling at the other width
//     settling    as many were answered as were in flight             measuring
//     measuring   the window is over                                  settling at the next width
//                 and it was the last                                 resting, at what was better
//     any         too little is answered                              resting, at what it was
//
// More are used only where they bring a part of what they could at best, fewer as soon as they
// bring about the same. What was refused is tried again later and later, until what a query takes
// has changed: then the load is another.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "src/io/clock.h"

namespace ringpost::pg {

class Width {
 public:
  // Sums since the beginning, and what is now.
  struct Work {
    uint64_t waited_ns = 0;  // by all queries together
    uint64_t answered = 0;
    uint64_t pressed = 0;  // found no connection, of those in use, that was not busy enough
    uint64_t in_flight = 0;
  };

  // From `first`, up to `most` connections.
  Width(uint32_t first, uint32_t most) : base_(first), most_(most), in_force_(first) {}

  // What is to be used now: for a while, in a trial, not what was found best.
  uint32_t in_force() const { return in_force_; }
  uint32_t settled() const { return base_; }

  // To be called every few milliseconds. `now` never goes back.
  void observe(io::Time now, const Work& work);

 private:
  enum class Phase : uint8_t { resting, settling, measuring };
  // When it is tried in one direction.
  struct Direction {
    io::Time next;
    io::Duration pause{};
  };
  static constexpr size_t windows = 4;  // of each width, in a trial

  void rest(io::Time now, const Work& work);
  void begin_trial(io::Time now, const Work& work, uint32_t other);
  void begin_window(io::Time now, const Work& work);
  void end_window(io::Time now, const Work& work);
  void end_trial(io::Time now, const Work& work);
  void mark(io::Time now, const Work& work);
  bool is_worth_it(double base_us, double other_us) const;
  bool trial_is_up() const { return other_ > base_; }

  uint32_t base_, most_, in_force_, other_ = 0;
  Phase phase_ = Phase::resting;
  Direction up_, down_;
  size_t window_ = 0;                              // which one of the trial's
  std::array<std::array<double, windows>, 2> us_;  // a query took, at the base and the other width
  std::array<size_t, 2> measured_{};
  // Where the phase, or its window, began.
  io::Time since_;
  Work before_;
  double usual_us_ = 0;   // a query took, when last something was decided
  unsigned unusual_ = 0;  // windows in a row in which it took another time
};

}  // namespace ringpost::pg
