#include "src/io/batch.h"

#include <algorithm>
#include <utility>

namespace ringpost::io {

namespace {
using Microseconds = std::chrono::duration<float, std::micro>;
// The weight of the newest turn in what is learnt: some milliseconds of a busy shard.
constexpr float newest = 1.0F / 32;
// A pause counts as no more, so that what was learnt before it is soon forgotten after it.
constexpr Microseconds longest_turn{1'000};
// The part of the time of a request that a turn may add to it.
constexpr float added = 1.0F / 4;
// Completions that a wait is to bring. One may hold several of PostgreSQL's answers.
constexpr float worth_it = 0.5F;
}  // namespace

void Batch::turned(unsigned completions, Duration passed) {
  in_vain_ = completions == 0;
  const float turn = std::min<Microseconds>(passed, longest_turn).count();
  const auto learn = [](float& sum, float value) { sum += value - sum * newest; };
  learn(time_, turn);
  learn(request_time_, turn * static_cast<float>(in_flight_));
  learn(answers_, static_cast<float>(std::exchange(answered_, 0)));
  learn(completions_, static_cast<float>(completions));
}

Batch::Wait Batch::next(size_t room) const {
  if (in_flight_ <= few || room < 2 || in_vain_) return {};
  const float most = Microseconds(most_).count();
  const float request = request_time_ / std::max(answers_, 1.0F);
  const float limit = std::min(most, request * added);
  if (limit < Microseconds(least).count() || completions_ * limit < worth_it * time_) return {};
  return {static_cast<unsigned>(std::min<size_t>(in_flight_ / 2, room)),
          std::chrono::duration_cast<Duration>(Microseconds(limit))};
}

}  // namespace ringpost::io
