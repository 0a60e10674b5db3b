#include "src/pg/load.h"

#include <algorithm>

namespace ringpost::pg {

namespace {
// The share of the newest execution in the average.
constexpr float newest = 1.0F / 16;
// How many times its average an execution counts at most: one that stalled behind a lock says
// little of the next, and ten in a row are soon believed.
constexpr float most = 8;
}  // namespace

void Load::begin(uint64_t number, io::Time now) {
  next_ = number;
  total_ = {};
  last_answer_ = now;
}

void Load::sent(uint64_t number, size_t statement, io::Time now) {
  charges_[number & mask_] = {now, costs_[statement], statement};
  total_ += costs_[statement];
}

void Load::answered(uint64_t number, io::Time now) {
  if (next_ == number) return;
  const Microseconds taken = now - std::max(last_answer_, charges_[next_ & mask_].sent);
  const Microseconds each = taken / static_cast<float>(number - next_);
  last_answer_ = now;
  for (; next_ != number; ++next_) {
    const Charge& charge = charges_[next_ & mask_];
    total_ -= charge.charged;
    Microseconds& cost = costs_[charge.statement];
    cost += (std::min(each, most * std::max(cost, Microseconds(1))) - cost) * newest;
  }
  // Nothing in flight is no load, whatever rounding has left over.
  if (total_ < Microseconds(0.5F)) total_ = {};
}

}  // namespace ringpost::pg
