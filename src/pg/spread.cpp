#include "src/pg/spread.h"

#include <algorithm>

namespace ringpost::pg {

namespace {
// Between two looks.
constexpr std::chrono::milliseconds pause{1};
// Connections of slow queries before anything is learnt. With all of them, where PostgreSQL has one
// CPU, each query would take so long that nothing is learnt for seconds.
constexpr uint32_t first_for_slow = 4;
}  // namespace

// The time that has passed since the last change is that of those in flight.
void Spread::Meter::pass(Of& of, io::Time now) {
  const uint64_t in_flight = of.in_flight.load(std::memory_order_relaxed);
  if (in_flight != 0 && now > of.last)
    add(of.waited_ns, in_flight * static_cast<uint64_t>((now - of.last).count()));
  of.last = now;
}

void Spread::Meter::begin(Kind kind, io::Time now) {
  Of& of = of_[index(kind)];
  pass(of, now);
  add(of.in_flight, 1);
}

void Spread::Meter::end(Kind kind, bool answered, io::Time now) {
  Of& of = of_[index(kind)];
  pass(of, now);
  of.in_flight.store(of.in_flight.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  if (answered) add(of.answered, 1);
}

Spread::Spread(uint32_t most, bool learns)
    : learns_(learns),
      widths_{Width(learns ? 1 : most, most),
              Width(learns ? std::min(most, first_for_slow) : most, most)} {
  for (size_t i = 0; i < kinds; ++i) in_force_[i] = widths_[i].in_force();
}

Spread::Meter& Spread::add_shard() {
  const std::lock_guard lock(mutex_);
  return *meters_.emplace_back(std::make_unique<Meter>());
}

void Spread::look(io::Time now) {
  if (!learns_) return;
  const int64_t at = now.time_since_epoch().count();
  if (at < next_look_.load(std::memory_order_relaxed)) return;
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return;  // another shard does
  next_look_ = at + io::Duration(pause).count();
  for (size_t i = 0; i < kinds; ++i) {
    Width::Work all;
    for (const auto& meter : meters_) {
      const Meter::Of& of = meter->of_[i];
      all.waited_ns += of.waited_ns.load(std::memory_order_relaxed);
      all.answered += of.answered.load(std::memory_order_relaxed);
      all.pressed += of.pressed.load(std::memory_order_relaxed);
      all.in_flight += of.in_flight.load(std::memory_order_relaxed);
    }
    widths_[i].observe(now, all);
    in_force_[i].store(widths_[i].in_force(), std::memory_order_relaxed);
  }
}

}  // namespace ringpost::pg
