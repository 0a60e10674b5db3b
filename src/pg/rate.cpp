#include "src/pg/rate.h"

namespace ringpost::pg {

namespace {
// Long against the turn of a scheduler, short against a deadline.
constexpr std::chrono::milliseconds window{50};
constexpr std::chrono::seconds kept{1};
constexpr double newest = 0.25;
}  // namespace

void Rate::answered(uint64_t count, bool saturated, io::Time now) {
  if (!saturated || !measuring_) {
    measuring_ = saturated;
    began_ = now;
    count_ = 0;
    return;
  }
  count_ += count;
  if (count_ == 0 || now - began_ < window) return;
  const double sample =
      static_cast<double>(count_) / std::chrono::duration<double>(now - began_).count();
  per_second_ = per_second(now) ? per_second_ + (sample - per_second_) * newest : sample;
  confirmed_ = began_ = now;
  count_ = 0;
}

std::optional<double> Rate::per_second(io::Time now) const {
  if (per_second_ == 0 || now - confirmed_ > kept) return std::nullopt;
  return per_second_;
}

}  // namespace ringpost::pg
