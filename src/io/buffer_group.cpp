#include "src/io/buffer_group.h"

#include <cerrno>
#include <utility>

#include <sys/mman.h>

#include "src/io/ring.h"

namespace ringpost::io {

namespace {

void* map(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw RingError(errno, "mmap of receive buffers");
  return memory;
}

}  // namespace

BufferGroup::BufferGroup(Ring& ring, uint16_t id, unsigned count, unsigned size)
    : ring_(ring),
      ring_bytes_(count * sizeof(io_uring_buf)),
      memory_bytes_(size_t{count} * size),
      size_(size),
      mask_(io_uring_buf_ring_mask(count)),
      id_(id),
      in_use_(count),
      received_(count) {
  ring_memory_ = static_cast<io_uring_buf_ring*>(map(ring_bytes_));
  io_uring_buf_ring_init(ring_memory_);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<uint64_t>(ring_memory_);
  registration.ring_entries = count;
  registration.bgid = id;
  if (const int result = io_uring_register_buf_ring(&ring_.raw(), &registration, 0); result < 0) {
    munmap(ring_memory_, ring_bytes_);
    throw RingError(-result, "io_uring_register(PBUF_RING)");
  }
  memory_ = static_cast<char*>(map(memory_bytes_));
  for (unsigned buffer = 0; buffer < count; ++buffer) give_back(static_cast<uint16_t>(buffer));
  publish();
}

BufferGroup::~BufferGroup() {
  io_uring_unregister_buf_ring(&ring_.raw(), id_);
  munmap(ring_memory_, ring_bytes_);
  munmap(memory_, memory_bytes_);
}

void BufferGroup::publish() {
  if (returned_ != 0) io_uring_buf_ring_advance(ring_memory_, std::exchange(returned_, 0));
  // More would only come back at once. It does not count what was just given back: by the time that
  // somebody learns that there was none, all may be there again, and nobody left to give one back;
  // and who is told may have no use for it.
  for (size_t left = free(); left != 0 && !waiting_.empty(); --left)
    waiting_.pop_front().buffers_available();
}

}  // namespace ringpost::io
