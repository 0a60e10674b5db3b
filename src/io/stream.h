// Stream: one connected socket, TCP or UNIX, on a shard: a Receiver, a Sender, and the descriptor
// that both use. What each does and when is said there.
//
// Whoever owns the Stream awaits close() before it ends: the kernel may still hold its buffers. At
// most one coroutine reads, and at most one waits for drained(), at any time.
#pragma once

#include "proto/wire/buffer.h"
#include "src/io/buffer_group.h"
#include "src/io/reactor.h"
#include "src/io/receiver.h"
#include "src/io/sender.h"
#include "src/io/task.h"

namespace ringpost::io {

class Stream {
 public:
  // Takes over the descriptor `fd`. What leaves in one send has `send_timeout` to be taken, all of
  // it: a peer that takes it drop by drop ends the stream as one that takes nothing does.
  Stream(Reactor& reactor, BufferGroup& group, int fd, Duration send_timeout)
      : receiver_(reactor, group, fd), sender_(receiver_, send_timeout) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  int fd() const { return receiver_.fd(); }
  Reactor& reactor() const { return receiver_.reactor(); }

  using Read = Receiver::Read;
  using Drain = Sender::Drain;

  // The next bytes (never none), as they came. They live until the next read(), release() or
  // close(). Errors: closed when the peer has ended its side, timed_out, cancelled, system.
  Read read(Until until) { return receiver_.read(until); }
  // Ends the life of the last read()'s bytes early: called before the reader turns to waiting for
  // something else.
  void release() { receiver_.release(); }

  // Ends the wait of whoever reads now, as a cancellation does; not the next one.
  void interrupt() { receiver_.interrupt(); }

  // Where to append what is to be sent; then send(). A view of it lives until the coroutine
  // suspends.
  proto::wire::Buffer& out() { return sender_.out(); }
  // REQUIRES: close() has not begun.
  void send() { sender_.send(); }

  // Bytes that the kernel has not yet taken.
  size_t unsent() const { return sender_.unsent(); }
  // Memory of what it has not yet handed on, both ways.
  size_t memory() const { return receiver_.memory() + sender_.memory(); }
  // Waits until at most `bytes` are unsent. Errors as read(); a failed send is one too.
  Drain drained(size_t bytes, Until until) { return sender_.drained(bytes, until); }

  bool failed() const { return sender_.failed(); }

  // No more will be sent (FIN); reading goes on. What is unsent is lost: drained(0) first.
  void shutdown_send() { sender_.shutdown(); }

  // The peer will see a reset when it is closed, in any case.
  void abort() { abort_ = true; }
  // Cancels what is on its way, waits for its completion (the kernel's, so it has no deadline),
  // closes the descriptor; where not all was sent, with a reset. Once is enough: once it has ended,
  // another does nothing.
  Task<void> close();

 private:
  Receiver receiver_;
  Sender sender_;  // tells the receiver when it fails
  bool abort_ = false;
};

}  // namespace ringpost::io
