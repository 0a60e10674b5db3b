#include "src/pg/load.h"

#include <algorithm>

namespace ringpost::pg {

namespace {
// The share of the newest execution in the average; and that of all of a turn at most: a turn that
// stalled says little of the next, however many came in it.
constexpr float newest = 1.0F / 16, newest_turn = 1.0F / 4;
// How many times what was expected a turn counts at most, for the same reason; ten in a row are
// soon believed.
constexpr float most = 8;
// No statement is taken to take less: what is expected has to be able to grow again.
constexpr Load::Microseconds least{1};
}  // namespace

void Load::begin(uint64_t number, io::Time now) {
  next_ = number;
  total_ = {};
  since_ = now;
}

proto::pg::Pipeline::Note Load::sent(size_t statement, io::Time now) {
  if (total_ == Microseconds()) since_ = now;
  total_ += costs_[statement];
  return {costs_[statement].count(), static_cast<uint32_t>(statement)};
}

void Load::answered(const proto::pg::Pipeline& pipeline, io::Time now) {
  if (next_ == pipeline.next_number()) return;
  const Microseconds taken = now - since_;
  since_ = now;
  Microseconds expected{};
  for (; next_ != pipeline.next_number(); ++next_) {
    const proto::pg::Pipeline::Note& note = pipeline.note(next_);
    total_ -= Microseconds(note.charge);
    expected += costs_[note.statement];
    ++answered_[note.statement];
  }
  // Nothing in flight is no load, whatever rounding has left over.
  if (total_ < Microseconds(0.5F)) total_ = {};
  const float times = std::min(taken / expected, most);
  for (size_t i = 0; i < answered_.size(); ++i) learn(i, times);
}

// The executions of `statement` in this turn took so many times what was expected.
void Load::learn(size_t statement, float times) {
  const float weight = std::min(newest * static_cast<float>(answered_[statement]), newest_turn);
  costs_[statement] = std::max(costs_[statement] * (1 + (times - 1) * weight), least);
  answered_[statement] = 0;
}

}  // namespace ringpost::pg
