// What may go wrong in one simulation. Each seed enables some of these kinds, with rates of its own
// (swarm testing: what one fault would hide, another seed shows without it).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/simulation/random.h"

namespace ringpost::simulation {

enum class Fault : uint8_t {
  late_completions,      // completions come later than what they report
  shuffled_completions,  // and in another order, as far as the kernel may
  short_receives,        // a receive brings less than has come
  ended_multishots,      // a multishot request ends by itself after a result
  partial_sends,         // a send is cut short, as by a signal
  interrupted_submits,   // EINTR, EAGAIN, EBUSY of io_uring_enter; entries stay in the queue
  small_queues,          // submission and completion queue of a few entries
  few_buffers,           // few and small receive buffers
  raced_cancels,         // what was to be cancelled is done by then, or can't be stopped at once
  accept_errors,         // EMFILE, ECONNABORTED
  small_socket_buffers,  // the kernel takes little of a send at a time
  stops,                 // the process is stopped for seconds
  clock_jumps,           // the wall clock is set
  resets,                // clients reset at any byte
  slow_readers,          // clients read slowly, or not at all
  stalls,                // clients stop in mid-request, or say nothing
  drips,                 // clients send byte by byte
  half_closes,           // clients end their side before they are answered
  bad_requests,          // clients send what is no request
  few_connections,       // a small limit of connections
  little_memory,         // a small budget for answers
  pg_slow,               // PostgreSQL takes its time
  pg_split,              // its answers come in pieces
  pg_errors,             // statements fail
  pg_restarts,           // sessions are reset, connects refused for a while
  pg_freezes,            // nothing is answered for seconds
  pg_changes,            // prepared statements become stale
  pg_notices,            // notices and parameters at any point
  pg_garbage,            // answers that are none, or end in the middle
  pg_bad_values,         // text that is not UTF-8
  pg_connects,           // connects that are refused, or hang
  pg_pooled,             // each transaction is lent another session, in which others work too
  early_orders,          // the drain comes while all is going on, or everything is cancelled
  count,
};
inline constexpr auto fault_count = static_cast<size_t>(Fault::count);

std::string_view name_of(Fault fault);

class Faults {
 public:
  // None.
  Faults() = default;
  // Those that a seed enables.
  explicit Faults(Random& random);

  bool enabled(Fault fault) const { return rates_[static_cast<size_t>(fault)] != 0; }
  // How often in a million occasions.
  uint32_t rate(Fault fault) const { return stopped_ ? 0 : rates_[static_cast<size_t>(fault)]; }
  void disable(Fault fault) { rates_[static_cast<size_t>(fault)] = 0; }
  // From now on nothing goes wrong.
  void stop() { stopped_ = true; }
  bool stopped() const { return stopped_; }

  // All but those that `names` lists, separated by commas, are disabled ("none": all). False when
  // it names one that does not exist.
  bool keep_only(std::string_view names);
  // As keep_only() reads it.
  std::string names() const;

 private:
  std::array<uint32_t, fault_count> rates_{};
  bool stopped_ = false;
};

}  // namespace ringpost::simulation
