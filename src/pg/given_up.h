// GivenUp: what becomes of a query whose owner has gone while PostgreSQL works at it: it is work
// for nobody, and holds up those behind it. Looked at from time to time, by the query that is
// answered next (the front):
//
//     state       the front is                          next
//     watching    wanted, or another than before        watching
//     watching    the same, and nobody's                cancelled, says cancel
//     cancelled   wanted                                watching
//     cancelled   another than before                   cancelled
//     cancelled   the same, and nobody's                suspected, says look_closely
//     suspected   the same, and nobody's                watching, says replace
//     suspected   wanted or another                     watching
//
// What counts is that answers end, not that bytes come: rows that trickle are no progress. A second
// query that stays after one was cancelled costs the session: they wait for the same lock, and each
// of those behind them would. The close look is for a process that was stopped itself: the answer
// may have come already.
#pragma once

#include <cstdint>

namespace ringpost::pg {

class GivenUp {
 public:
  enum class Do : uint8_t { nothing, cancel, look_closely, replace };

  // A query was given up, and none was being watched.
  void begin(uint64_t front) {
    front_ = front;
    state_ = State::watching;
  }

  // Whether it is still the same, and nobody's.
  bool stays(uint64_t front, bool forgotten) const { return forgotten && front == front_; }

  // By its number in the pipeline; `forgotten`: it is nobody's.
  Do look(uint64_t front, bool forgotten) {
    if (!stays(front, forgotten)) {
      front_ = front;
      if (!forgotten || state_ == State::suspected) state_ = State::watching;
      return Do::nothing;
    }
    switch (state_) {
      case State::watching:
        state_ = State::cancelled;
        return Do::cancel;
      case State::cancelled:
        state_ = State::suspected;
        return Do::look_closely;
      case State::suspected:
        break;
    }
    state_ = State::watching;
    return Do::replace;
  }

 private:
  enum class State : uint8_t { watching, cancelled, suspected };
  uint64_t front_ = 0;
  State state_ = State::watching;
};

}  // namespace ringpost::pg
