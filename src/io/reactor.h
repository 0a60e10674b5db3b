// Reactor: the loop of one shard. Everything of a shard runs on its thread.
//
// A turn: what streams have to send is prepared, one system call submits everything and sleeps
// until something has come, or on a busy shard a moment longer (batch.h); the completions that came
// are handed to their operations, which note results and wake coroutines; due timers expire, after
// all that has come by then was taken; then the ready coroutines run, and what they write to a
// stream leaves in one send with the next turn's call.
#pragma once

#include <vector>

#include "src/io/batch.h"
#include "src/io/counter.h"
#include "src/io/list.h"
#include "src/io/operation.h"
#include "src/io/ring.h"
#include "src/io/spare_buffers.h"
#include "src/io/task.h"
#include "src/io/timer.h"
#include "src/io/wait.h"

namespace ringpost::io {

class BufferGroup;

class Reactor {
 public:
  // Something with work to do at the end of a turn, once however often it was asked for (Stream:
  // its send).
  class Flush : public ListNode<Flush> {
   public:
    virtual void flush() = 0;

   protected:
    ~Flush() = default;
  };

  // `turn_wait`: how long a turn may wait for more than the first completion. Throws RingError.
  explicit Reactor(Duration turn_wait = {});
  ~Reactor();

  Ring& ring() { return ring_; }
  TimerWheel& timers() { return timers_; }
  Batch& batch() { return batch_; }

  // The moment this turn began.
  Time now() const { return now_; }
  // Seconds since 1970 by the wall clock, as of this turn.
  int64_t unix_seconds() const { return unix_seconds_; }

  // When a turn last took so long that the process may have been stopped. Where requests are in
  // flight it was (or has waited for its CPU), else it has mostly waited for nothing: who judges
  // others' silence counts from here, and is late rather than wrong.
  Time resumed() const { return resumed_; }

  // Runs `task` and all it starts until it has ended.
  void run(Task<void> task);

  void ready(Wait& wait) { ready_.push_back(wait); }
  void at_end_of_turn(Flush& flush) {
    if (!flush.linked()) flushes_.push_back(flush);
  }
  // The same, before all of those, in whatever order they were asked for: to complete what a stream
  // is to send. What a send leaves behind goes only with the next turn's, and its own end wakes
  // none.
  void before_sends(Flush& flush) {
    if (!flush.linked()) before_sends_.push_back(flush);
  }
  void add(BufferGroup& group) { groups_.push_back(&group); }
  void remove(BufferGroup& group) { std::erase(groups_, &group); }

  // For metrics: turns, and what has completed in them.
  const Counter& turns() const { return turns_; }
  const Counter& completions() const { return completions_; }

  // Lent to who sends.
  SpareBuffers& spare_buffers() { return spare_buffers_; }

 private:
  class Alarm final : public Operation {
   public:
    void complete(int result, uint32_t flags) override;
    Time set_for = never;
    __kernel_timespec at{};
  };

  void turn(bool wait);
  void submit(bool wait);
  void read_clocks();
  void set_alarm();

  Ring ring_;
  Batch batch_;
  Time now_;
  Time resumed_{};
  int64_t unix_seconds_ = 0;
  TimerWheel timers_;
  Alarm alarm_;
  List<Wait, Wait> ready_;
  List<Flush, Flush> before_sends_, flushes_;
  std::vector<BufferGroup*> groups_;
  SpareBuffers spare_buffers_;
  Counter turns_, completions_;
};

}  // namespace ringpost::io
