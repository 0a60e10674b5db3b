#include "src/pg/load.h"

#include <algorithm>

namespace ringpost::pg {

namespace {
// The share of the newest execution in the average; and that of all of a turn at most: a turn that
// stalled says little of the next, however many came in it.
constexpr float newest = 1.0F / 16, newest_turn = 1.0F / 4;
// The weight of one that took longer than expected, for the weight of one that took less. Where
// PostgreSQL's CPUs are busy its backends wait for them; that says nothing about the statement, and
// what then seems slow would be treated so, and be slower.
constexpr float longer = 1.0F / 8;
// How many times what was expected a turn counts at most, for the same reason; a hundred in a
// row are believed.
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
  for (size_t i = 0; i < answered_.size(); ++i)
    if (answered_[i] != 0) learn(i, times);
}

// The executions of `statement` in this turn took so many times what was expected.
void Load::learn(size_t statement, float times) {
  const float weight = std::min(newest * static_cast<float>(answered_[statement]), newest_turn);
  const float change = (times - 1) * weight * (times > 1 ? longer : 1);
  costs_[statement] = std::max(costs_[statement] * (1 + change), least);
  answered_[statement] = 0;
}

}  // namespace ringpost::pg
