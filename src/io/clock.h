// Time on a shard: the monotonic clock, read once a turn of the loop (Reactor::now()).
#pragma once

#include <chrono>

namespace ringpost::io {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using Duration = Clock::duration;

// A deadline that never comes: for waits that end by an event the kernel or the program owes us.
inline constexpr Time never = Time::max();

}  // namespace ringpost::io
