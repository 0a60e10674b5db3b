// Receiver: the half of a Stream that reads, by one multishot request that stays armed.
//
// While a coroutine reads, what arrives is queued for it in the buffers of the group, run by run,
// without copying. While none does, it is copied out, so that a connection holds no buffer that
// others could use, and past a limit receiving pauses. The descriptor belongs to the Stream.
//
//     state      what happens                                      next
//     idle       somebody reads                                    armed
//                begin_close()                                     closed
//     armed      more has gathered than may while nobody reads     pausing, cancels the request
//                its last completion: no buffer was free           starved
//                its last completion otherwise                     idle
//                begin_close()                                     closing, cancels the request
//     pausing    its last completion: no buffer was free           starved
//                its last completion: cancelled, somebody reads    armed
//                its last completion otherwise                     idle
//                begin_close()                                     closing
//     starved    the group has buffers again                       armed
//                begin_close()                                     closed
//     closing    its last completion                               closed
//
// Bytes that wait for a reader, and the reader, may be there in each state before closing.
#pragma once

#include <cstdint>
#include <string_view>

#include "proto/wire/buffer.h"
#include "src/io/buffer_group.h"
#include "src/io/condition.h"
#include "src/io/error.h"
#include "src/io/operation.h"
#include "src/io/reactor.h"
#include "src/io/wait.h"

namespace ringpost::io {

class Receiver final : private Operation, private BufferGroup::Waiter {
 public:
  // Where the request stands.
  enum class State : uint8_t {
    idle,     // the kernel has none: nobody has read yet, it has paused, or there is nothing more
    armed,    // the kernel has it, and fills a buffer whenever bytes arrive
    pausing,  // the kernel was asked to give it up, because nobody takes what it brings
    starved,  // no buffer was free; it waits for some in the group's queue
    closing,  // the stream ends, and the kernel has yet to say that it is done with it
    closed,   // the kernel has nothing of it: it may end
  };

  Receiver(Reactor& reactor, BufferGroup& group, int fd)
      : reactor_(reactor), group_(group), fd_(fd) {}
  ~Receiver();

  class [[nodiscard]] Read;
  // As Stream says.
  Read read(Until until);
  void release();
  void interrupt();
  // Of what was copied out; the group's buffers are the group's.
  size_t memory() const { return overflow_.capacity() + held_overflow_.capacity(); }

  // The sending half has failed: the reader is told so, once it has taken all that came. `error` is
  // of kind system or timed_out.
  void sending_failed(Error error);
  // What a reader is told that has taken all that came, when nothing more comes.
  Error error() const;

  // Gives back all that is held, and asks the kernel to give up the request; closed() waits until
  // it has. From here on a completion queues nothing and wakes no reader. REQUIRES: nobody reads.
  void begin_close();
  auto closed() {
    return kernel_done_.wait(reactor_, {}, [this] { return state_ == State::closed; });
  }

  State state() const { return state_; }
  Reactor& reactor() const { return reactor_; }
  int fd() const { return fd_; }

  // Bytes that may gather while nobody reads, before receiving pauses.
  // With a run on top of it, a buffer of 8 KiB holds them.
  static constexpr size_t most_overflow = 6 * 1024;

 private:
  static constexpr uint16_t none = 0xffff;

  // Why nothing more will be read; code_ is the errno where there is one. A failed send counts for
  // more than what ends receiving: that is mostly its consequence.
  enum class End : uint8_t { none, by_peer, receive_failed, send_failed, send_timed_out };

  void complete(int result, uint32_t flags) override;
  void buffers_available() override { arm(); }
  void arm();
  void take(uint16_t buffer, uint32_t length);
  void wake_reader();
  void give_back_held();
  bool readable() const { return first_ != none || !overflow_.empty(); }
  std::string_view take_next();

  Reactor& reactor_;
  BufferGroup& group_;
  int fd_, code_ = 0;
  // Queued runs, and the one that the reader has.
  uint16_t first_ = none, last_ = none, held_ = none;
  State state_ = State::idle;
  End end_ = End::none;
  Read* reader_ = nullptr;
  Condition kernel_done_;
  // What arrived while nobody read, later than what is queued; and what of it the reader has.
  proto::wire::Buffer overflow_, held_overflow_;
};

class Receiver::Read final : public Wait {
 public:
  Read(Receiver& receiver, Until until) : Wait(receiver.reactor_, until), receiver_(receiver) {}
  bool await_ready();
  bool await_suspend(std::coroutine_handle<> awaiter);
  Result<std::string_view> await_resume();
  void interrupt() { wake(Outcome::cancelled); }

 private:
  Receiver& receiver_;
};

inline Receiver::Read Receiver::read(Until until) {
  return Read(*this, until);
}

}  // namespace ringpost::io
