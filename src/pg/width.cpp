#include "src/pg/width.h"

#include <algorithm>
#include <chrono>
#include <string_view>

namespace ringpost::pg {

namespace {

using namespace std::chrono_literals;

// A window of a trial is no shorter, and has no fewer answers.
constexpr io::Duration window = 10ms;
constexpr uint64_t least_answers = 16;
// What takes longer than this for its answers is too little to learn from.
constexpr io::Duration patience = 1s;
// Between trials of what was refused before.
constexpr io::Duration first_pause = 250ms, last_pause = 16s;
// More connections have to bring this part of what they would if each brought as much as those
// before it; fewer may lose this part.
constexpr double least_gain = 0.2, most_loss = 0.06;
// Of a window's queries so many have found all connections busy: it makes sense to try more.
constexpr uint64_t one_pressed_in = 8;
// What a query takes has become another by this factor, in so many windows in a row: what was found
// out is of little use.
constexpr double another_load = 1.5;
constexpr unsigned to_be_believed = 3;
// The widths of a trial's windows: the first of each is for the caches, and for connections that
// open; then in an order that a load which grows or falls steadily does not favour either.
constexpr std::string_view order = "boobboboob";

double microseconds(uint64_t waited_ns, uint64_t answered) {
  return static_cast<double>(waited_ns) / 1e3 / static_cast<double>(answered);
}

// Of four, that of the two in the middle: a stall in one of them says nothing.
double middle(std::array<double, 4> values) {
  std::sort(values.begin(), values.end());
  return (values[1] + values[2]) / 2;
}

}  // namespace

void Width::mark(io::Time now, const Work& work) {
  since_ = now;
  before_ = work;
}

void Width::observe(io::Time now, const Work& work) {
  const uint64_t answered = work.answered - before_.answered;
  switch (phase_) {
    case Phase::resting:
      if (now - since_ < window) return;
      if (answered >= least_answers)
        rest(now, work);
      else if (now - since_ >= patience)
        mark(now, work);
      return;
    case Phase::settling:
      if (answered >= before_.in_flight) {
        mark(now, work);
        phase_ = Phase::measuring;
        return;
      }
      break;
    case Phase::measuring:
      if (now - since_ >= window && answered >= least_answers) return end_window(now, work);
      break;
  }
  if (now - since_ < patience) return;
  in_force_ = base_;
  phase_ = Phase::resting;
  mark(now, work);
}

// A window without a trial is over.
void Width::rest(io::Time now, const Work& work) {
  const uint64_t answered = work.answered - before_.answered;
  const bool pressed = (work.pressed - before_.pressed) * one_pressed_in >= answered;
  const double us = microseconds(work.waited_ns - before_.waited_ns, answered);
  mark(now, work);
  if (us <= usual_us_ * another_load && us >= usual_us_ / another_load) {
    unusual_ = 0;
  } else if (++unusual_ == to_be_believed) {
    up_ = down_ = {.next = now, .pause = {}};
    usual_us_ = us;
    unusual_ = 0;
  }
  if (pressed && base_ < most_ && now >= up_.next)
    begin_trial(now, work, std::min(most_, base_ * 2));
  else if (base_ > 1 && now >= down_.next)
    begin_trial(now, work, base_ / 2);
}

void Width::begin_trial(io::Time now, const Work& work, uint32_t other) {
  other_ = other;
  window_ = 0;
  measured_ = {};
  begin_window(now, work);
}

void Width::begin_window(io::Time now, const Work& work) {
  in_force_ = order[window_] == 'b' ? base_ : other_;
  phase_ = Phase::settling;
  mark(now, work);
}

void Width::end_window(io::Time now, const Work& work) {
  const size_t side = order[window_] == 'b' ? 0 : 1;
  const double us =
      microseconds(work.waited_ns - before_.waited_ns, work.answered - before_.answered);
  us_[side][measured_[side]++ % windows] = us;  // those for the caches are written over
  if (++window_ < order.size()) return begin_window(now, work);
  end_trial(now, work);
}

void Width::end_trial(io::Time now, const Work& work) {
  const double base_us = middle(us_[0]), other_us = middle(us_[1]);
  Direction& direction = trial_is_up() ? up_ : down_;
  Direction& opposite = trial_is_up() ? down_ : up_;
  if (is_worth_it(base_us, other_us)) {
    base_ = other_;
    usual_us_ = other_us;
    direction = {.next = now, .pause = {}};  // further that way
    opposite = {.next = now + last_pause / 4, .pause = {}};
  } else {
    usual_us_ = base_us;
    direction.pause = std::clamp(direction.pause * 2, first_pause, last_pause);
    direction.next = now + direction.pause;
  }
  in_force_ = base_;
  phase_ = Phase::resting;
  mark(now, work);
}

bool Width::is_worth_it(double base_us, double other_us) const {
  const double base = base_, other = other_;
  if (trial_is_up()) return base_us >= other_us * (1 + least_gain * (other / base - 1));
  return other_us <= base_us * (1 + most_loss * std::min(base / other - 1, 1.0));
}

}  // namespace ringpost::pg
