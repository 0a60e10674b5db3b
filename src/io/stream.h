// Stream: one connected socket, TCP or UNIX, on a shard.
//
// Receiving is one multishot request that stays armed. While a coroutine reads, what arrives is
// handed to it in the buffers of the group, run by run, without copying. While none does, it is
// copied out, so that a stream holds no buffer that others could use, and past a limit receiving
// pauses. Sending: whatever was appended to out() before the turn ends leaves in one send; while
// that one is on its way the next gathers behind it.
//
// Whoever owns the Stream awaits close() before it ends: the kernel may still hold its buffers. At
// most one coroutine reads, and at most one waits for drained(), at any time.
#pragma once

#include <cassert>
#include <string_view>

#include "proto/wire/buffer.h"
#include "src/io/buffer_group.h"
#include "src/io/condition.h"
#include "src/io/error.h"
#include "src/io/operation.h"
#include "src/io/reactor.h"
#include "src/io/wait.h"

namespace ringpost::io {

class Stream final : private Reactor::Flush, private BufferGroup::Waiter, private Timer {
 public:
  // Takes over the descriptor `fd`. What leaves in one send has `send_timeout` to be taken, all of
  // it: a peer that takes it drop by drop ends the stream as one that takes nothing does.
  Stream(Reactor& reactor, BufferGroup& group, int fd, Duration send_timeout);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  int fd() const { return fd_; }
  Reactor& reactor() const { return reactor_; }

  class [[nodiscard]] Read;
  class [[nodiscard]] Drain;

  // The next bytes (never none), as they came. They live until the next read(), release() or
  // close(). Errors: closed when the peer has ended its side, timed_out, cancelled, system.
  Read read(Until until);
  // Ends the life of the last read()'s bytes early: called before the reader turns to waiting for
  // something else.
  void release();

  // Where to append what is to be sent; then send(). A view of it lives until the coroutine
  // suspends.
  proto::wire::Buffer& out() {
    reactor_.spare_buffers().lend(out_);
    return out_;
  }
  // REQUIRES: close() has not begun.
  void send() {
    assert(!closing_ && "nothing is queued for a stream that closes");
    reactor_.at_end_of_turn(*this);
  }

  // Bytes that the kernel has not yet taken.
  size_t unsent() const { return out_.size() + flying_.size(); }
  // Waits until at most `bytes` are unsent. Errors as read(); a failed send is one too.
  Drain drained(size_t bytes, Until until);

  bool failed() const { return failed_; }

  // No more will be sent (FIN); reading goes on. What is unsent is lost: drained(0) first.
  void shutdown_send();

  // Cancels what is on its way, waits for its completion (the kernel's, so it has no deadline),
  // closes the descriptor; where not all was sent, with a reset.
  Task<void> close();

 private:
  static constexpr uint16_t none = 0xffff;

  struct Receive final : Operation {
    explicit Receive(Stream& owner) : stream(owner) {}
    void complete(int result, uint32_t flags) override { stream.received(result, flags); }
    Stream& stream;
  };
  struct Send final : Operation {
    explicit Send(Stream& owner) : stream(owner) {}
    void complete(int result, uint32_t) override { stream.sent(result); }
    Stream& stream;
  };

  void flush() override;
  void buffers_available() override { arm(); }
  void expired() override;
  void arm();
  void received(int result, uint32_t flags);
  void sent(int result);
  void prepare_send();
  void fail(Error error);
  void wake_reader();
  void give_back_held();
  bool readable() const { return first_ != none || !overflow_.empty(); }
  std::string_view take_next();

  Reactor& reactor_;
  BufferGroup& group_;
  Duration send_timeout_;
  Time send_due_;  // when all of what is on its way has to be taken
  int fd_;
  uint16_t first_ = none, last_ = none, held_ = none;  // queued runs, and the one the reader has
  bool armed_ = false, pausing_ = false, sending_ = false, ended_ = false, failed_ = false,
       closing_ = false;
  Error error_{Error::Kind::closed, 0, "receive"};  // what ended_ or failed_ means
  Read* reader_ = nullptr;
  Drain* drainer_ = nullptr;
  Condition kernel_done_;  // with a request of this stream
  // What arrived while nobody read, later than what is queued; and what of it the reader has.
  proto::wire::Buffer overflow_, held_overflow_;
  proto::wire::Buffer out_, flying_;
  Receive receive_{*this};
  Send send_{*this};
};

class Stream::Read final : public Wait {
 public:
  Read(Stream& stream, Until until) : Wait(stream.reactor_, until), stream_(stream) {}
  bool await_ready();
  bool await_suspend(std::coroutine_handle<> awaiter);
  Result<std::string_view> await_resume();

 private:
  Stream& stream_;
};

class Stream::Drain final : public Wait {
 public:
  Drain(Stream& stream, size_t bytes, Until until)
      : Wait(stream.reactor_, until), stream_(stream), bytes_(bytes) {}
  bool await_ready() const { return reached(); }
  bool await_suspend(std::coroutine_handle<> awaiter);
  Result<void> await_resume();
  bool reached() const { return stream_.failed_ || stream_.unsent() <= bytes_; }

 private:
  Stream& stream_;
  size_t bytes_;
};

inline Stream::Read Stream::read(Until until) {
  return Read(*this, until);
}
inline Stream::Drain Stream::drained(size_t bytes, Until until) {
  return Drain(*this, bytes, until);
}

}  // namespace ringpost::io
