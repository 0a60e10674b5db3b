// Ring: one io_uring of one thread, as this library uses it (Linux 6.1: DEFER_TASKRUN; 6.0:
// multishot receive; 5.19: provided buffer rings).
//
// Owns the ring and its mappings. Used by the thread that made it alone
// (IORING_SETUP_SINGLE_ISSUER).
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <liburing.h>

#include "src/io/clock.h"
#include "src/io/operation.h"

namespace ringpost::io {

// The ring can't be had. `code` is the errno, `step` the call that failed: ops/diagnosis says what
// to do about it.
struct RingError : std::runtime_error {
  RingError(int error, const char* failed_step);
  int code;
  const char* step;
};

// Of a reactor's: a turn's worth of entries for some thousands of connections; a fuller turn is
// submitted in pieces.
inline constexpr unsigned reactor_submissions = 4096, reactor_completions = 32768;

class Ring {
 public:
  // Entries of the submission and the completion queue, powers of two. Throws RingError.
  Ring(unsigned submission_entries, unsigned completion_entries);
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  io_uring& raw() { return ring_; }

  // A free submission entry, zeroed but for user_data being set to `operation` (nullptr: nobody is
  // told of its end). When the queue is full, what is in it is submitted first.
  io_uring_sqe* prepare(Operation* operation);

  // Prepares a send of the part of `bytes` for which there is room. It is over when it is
  // submitted, and `bytes` is free: the next reap() tells `operation` how many were taken, or
  // -errno (-EAGAIN: none). Only when that were not all of them does it end a wait: one that was
  // taken whole makes no completion in the queue, so that a turn does not end by what itself has
  // sent.
  void send_now(Operation& operation, int fd, std::string_view bytes);

  // Asks the kernel to give up `operation`; its last completion still comes, with -ECANCELED unless
  // it was done already.
  void cancel(Operation& operation);

  // Submits all that was prepared and, when `wait`, sleeps until at least one completion is there.
  // One system call.
  void submit(bool wait);
  // The same, and sleeps until so many completions are there, a timeout has expired that was
  // prepared (IORING_OP_TIMEOUT), or `limit` has passed, even when nothing has come by then.
  void submit_and_wait(unsigned completions, Duration limit);

  // Hands each completion that has come to its operation. Returns the number of those that the
  // kernel has told of, which is without the sends that were taken whole.
  unsigned reap();

 private:
  struct Completion {
    uint64_t user_data;
    int result;
    uint32_t flags;
  };
  // A send_now() of which nothing was told yet; nullptr once it was.
  struct Sending {
    Operation* operation;
    int bytes;
  };
  bool may_wait() const { return set_aside_.empty() && !sends_left_; }
  void check(int result);
  void make_room();
  void hand_over(const Completion& one);
  void end_sends(size_t count);

  io_uring ring_{};
  std::vector<Sending> sending_;       // in the order of their entries
  bool sends_left_ = false;            // reap() has not come to the end of them
  std::vector<Completion> set_aside_;  // taken out of a full completion queue while submitting
};

}  // namespace ringpost::io
