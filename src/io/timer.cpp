#include "src/io/timer.h"

#include <algorithm>
#include <bit>

namespace ringpost::io {

namespace {
using Tick = std::chrono::milliseconds;
}

TimerWheel::TimerWheel(Time now) : epoch_(now) {}

void TimerWheel::start(Timer& timer, Time deadline) {
  if (deadline == never) return;
  // Rounded up, so that a timer is never early; without a sign that is cheaper.
  constexpr auto tick_ns = static_cast<uint64_t>(std::chrono::nanoseconds(Tick(1)).count());
  const int64_t ns = std::chrono::nanoseconds(deadline - epoch_).count();
  const uint64_t ticks = ns > 0 ? (static_cast<uint64_t>(ns) + tick_ns - 1) / tick_ns : 0;
  const uint64_t tick = std::max(ticks, now_ + 1);
  timer.tick_ = tick & ((1ULL << 54) - 1);
  place(timer);
}

void TimerWheel::place(Timer& timer) {
  constexpr uint64_t range = 1ULL << (bits * levels);
  const uint64_t tick = std::min<uint64_t>(timer.tick_, now_ + range - 1);
  const uint64_t differing = std::min((now_ ^ tick) | (slots - 1), range - 1);
  const auto level = static_cast<unsigned>(std::bit_width(differing) - 1) / bits;
  const auto index = static_cast<unsigned>(tick >> (level * bits)) & (slots - 1);
  wheel_[level][index].push_back(timer);
  timer.slot_ = (level * slots + index) & 0x3ff;
  occupied_[level] |= 1ULL << index;
  next_ = std::min(next_, tick >> (level * bits) << (level * bits));
}

void TimerWheel::stop(Timer& timer) {
  if (!timer.running()) return;
  timer.unlink();
  const unsigned level = timer.slot_ / slots, index = timer.slot_ % slots;
  if (wheel_[level][index].empty()) occupied_[level] &= ~(1ULL << index);
}

TimerWheel::Slot TimerWheel::first() const {
  for (unsigned level = 0; level < levels; ++level) {
    if (occupied_[level] == 0) continue;
    const unsigned shift = level * bits;
    const auto here = static_cast<unsigned>(now_ >> shift) & (slots - 1);
    const auto ahead = static_cast<unsigned>(
        std::countr_zero(std::rotr(occupied_[level], static_cast<int>(here))));
    const unsigned index = (here + ahead) & (slots - 1);
    uint64_t tick = (now_ >> (shift + bits) << (shift + bits)) + (uint64_t{index} << shift);
    if (index < here) tick += 1ULL << (shift + bits);  // only the top level wraps
    return {level, index, tick};
  }
  return {0, 0, ~0ULL};
}

bool TimerWheel::idle() const {
  return std::all_of(occupied_.begin(), occupied_.end(), [](uint64_t level) { return level == 0; });
}

void TimerWheel::advance(Time now) {
  const auto target =
      static_cast<uint64_t>(std::max<int64_t>(std::chrono::floor<Tick>(now - epoch_).count(), 0));
  if (target < next_) {  // no occupied slot is passed, so every timer still sits where it should
    now_ = std::max(now_, target);
    return;
  }
  while (!idle()) {
    const Slot slot = first();
    if (slot.tick > target) break;
    now_ = std::max(now_, slot.tick);
    List<Timer, Timer> due;
    due.take(wheel_[slot.level][slot.index]);
    occupied_[slot.level] &= ~(1ULL << slot.index);
    while (!due.empty()) {
      Timer& timer = due.pop_front();
      if (timer.tick_ <= now_)
        timer.expired();
      else
        place(timer);
    }
  }
  now_ = std::max(now_, target);
  next_ = idle() ? ~0ULL : first().tick;
}

Time TimerWheel::next() const {
  return next_ == ~0ULL ? never : epoch_ + Tick(static_cast<int64_t>(next_));
}

}  // namespace ringpost::io
