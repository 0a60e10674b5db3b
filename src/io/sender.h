// Sender: the half of a Stream that writes. Whatever was appended to out() before the turn ends
// leaves in one send; while that one is on its way the next gathers behind it.
//
// The kernel takes at once what the socket has room for, and no turn ends early for it
// (Ring::send_now). Only for the rest, or where somebody waits for drained(), does it wait for room
// and tell when all is sent.
//
// What leaves in one send has `timeout` to be taken, all of it: a peer that takes it drop by drop
// fails as one that takes nothing does. Buffers are lent by the reactor while there is something to
// send. The descriptor belongs to the Stream; the Receiver, which outlives this, is told of a send
// that failed, since whoever reads waits for an answer to it.
//
//     state      what happens                             next
//     idle       the turn ends, something is to be sent   flying
//                begin_close()                            closed
//     flying     all was taken                            idle
//                a part was taken, in time                flying, sends the rest
//                a part was taken, and the time is up     failed
//                the kernel says no                       failed
//                the time is up                           flying, cancels the send
//                begin_close()                            closing, cancels the send
//     failed     begin_close()                            closed
//     closing    the send completes                       closed
#pragma once

#include <cassert>
#include <cstdint>

#include "proto/wire/buffer.h"
#include "src/io/condition.h"
#include "src/io/error.h"
#include "src/io/operation.h"
#include "src/io/reactor.h"
#include "src/io/receiver.h"
#include "src/io/timer.h"
#include "src/io/wait.h"

namespace ringpost::io {

class Sender final : private Operation, private Reactor::Flush, private Timer {
 public:
  // Where the send stands. What gathers behind it is queued in the first three (Flush), and sent in
  // the first alone.
  enum class State : uint8_t {
    idle,     // none is on its way
    flying,   // the kernel has it, and what it sends
    failed,   // the last one was not taken; there is none after it
    closing,  // the stream ends, and the kernel has yet to say that it is done with it
    closed,   // the kernel has nothing of it: it may end
  };

  Sender(Receiver& receiver, Duration timeout) : receiver_(receiver), timeout_(timeout) {}
  ~Sender();

  // As Stream says.
  proto::wire::Buffer& out() {
    reactor().spare_buffers().lend(out_);
    return out_;
  }
  void send() {
    assert(state_ != State::closing && state_ != State::closed &&
           "nothing is queued for a stream that closes");
    reactor().at_end_of_turn(*this);
  }
  size_t unsent() const { return out_.size() + flying_.size(); }
  size_t memory() const { return out_.capacity() + flying_.capacity(); }
  class [[nodiscard]] Drain;
  Drain drained(size_t bytes, Until until);
  bool failed() const { return state_ == State::failed; }
  void shutdown();

  // Drops what gathers, and asks the kernel to give up the send; closed() waits until it has. From
  // here on a completion queues nothing. REQUIRES: nobody waits for drained().
  void begin_close();
  auto closed() {
    return changed_.wait(reactor(), {}, [this] { return state_ == State::closed; });
  }

  State state() const { return state_; }

 private:
  void flush() override;
  void complete(int result, uint32_t flags) override;
  void expired() override;
  void prepare_send();
  void fail(Error error);

  Reactor& reactor() const { return receiver_.reactor(); }

  Receiver& receiver_;
  Duration timeout_;
  Time due_;  // when all of what is on its way has to be taken
  State state_ = State::idle;
  Condition changed_;  // a send has completed
  proto::wire::Buffer out_, flying_;
};

// Errors: that of the send that failed, timed_out, cancelled.
class Sender::Drain {
  struct Reached {
    const Sender& sender;
    size_t bytes;
    bool operator()() const { return sender.failed() || sender.unsent() <= bytes; }
  };

 public:
  Drain(Sender& sender, size_t bytes, Until until)
      : reached_(sender.changed_.wait(sender.reactor(), until, Reached{sender, bytes})) {}
  bool await_ready() const { return reached_.await_ready(); }
  bool await_suspend(std::coroutine_handle<> awaiter) { return reached_.await_suspend(awaiter); }
  Result<void> await_resume();

 private:
  Condition::Awaiter<Reached> reached_;
};

inline Sender::Drain Sender::drained(size_t bytes, Until until) {
  return Drain(*this, bytes, until);
}

}  // namespace ringpost::io
