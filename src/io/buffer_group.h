// BufferGroup: buffers that the kernel picks from when bytes arrive (a provided buffer ring,
// Linux 5.19), so that a connection that waits for bytes holds none.
//
// The group owns the memory. A buffer is the kernel's until a completion names it, then the
// receiver's until give_back(). A receive that found no buffer (-ENOBUFS) queues here and is armed
// again when some have come back: short of buffers is slow, never an error.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <liburing.h>

#include "src/io/counter.h"
#include "src/io/list.h"

namespace ringpost::io {

class Ring;

class BufferGroup {
 public:
  // Whoever found no buffer and waits for some. Unlinked by its owner when it no longer wants one.
  class Waiter : public ListNode<Waiter> {
   public:
    // The kernel has some. It is not linked any more.
    virtual void buffers_available() = 0;

   protected:
    ~Waiter() = default;
  };

  // `count` buffers (a power of two, at most 32768) of `size` bytes. Throws RingError.
  BufferGroup(Ring& ring, uint16_t id, unsigned count, unsigned size);
  ~BufferGroup();
  BufferGroup(const BufferGroup&) = delete;
  BufferGroup& operator=(const BufferGroup&) = delete;

  uint16_t id() const { return id_; }
  char* data(uint16_t buffer) { return memory_ + size_t{buffer} * size_; }

  // A received run of bytes, queued for its reader: filled in by the completion, linked by buffer
  // number.
  struct Received {
    uint32_t length;
    uint16_t next;
  };
  Received& received(uint16_t buffer) { return received_[buffer]; }

  // A completion has named a buffer: it is its receiver's until give_back().
  void taken() { ++in_use_; }
  // The buffer goes back to the kernel at the end of this turn.
  void give_back(uint16_t buffer) {
    --in_use_;
    io_uring_buf_ring_add(ring_memory_, data(buffer), size_, buffer, mask_, returned_++);
  }
  // Buffers that the kernel has, or gets with publish().
  size_t free() const { return received_.size() - in_use_; }
  void wait_for_buffers(Waiter& waiter) {
    exhausted_.add();
    waiting_.push_back(waiter);
  }
  // For metrics: how often somebody found none.
  const Counter& exhausted() const { return exhausted_; }

  // Shows the kernel what was given back, and tells as many of those who wait as it has buffers.
  // Once a turn, before submitting.
  void publish();

 private:
  Ring& ring_;
  io_uring_buf_ring* ring_memory_ = nullptr;
  char* memory_ = nullptr;
  size_t ring_bytes_, memory_bytes_;
  unsigned size_;
  int mask_, returned_ = 0;
  uint16_t id_;
  size_t in_use_;  // buffers that receivers have
  std::vector<Received> received_;
  List<Waiter, Waiter> waiting_;
  Counter exhausted_;
};

}  // namespace ringpost::io
