// The part of the simulated kernel that has to do with provided buffers: each has one owner, and of
// what a sanitizer sees, the program may read what it received alone.
#include <algorithm>
#include <cstring>

#include "tests/simulation/kernel.h"

#if defined(__SANITIZE_ADDRESS__)
#define RINGPOST_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RINGPOST_POISONS 1
#endif
#endif
#ifdef RINGPOST_POISONS
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

namespace ringpost::simulation {

namespace {
constexpr uint8_t stale = 0xdd;  // what a buffer holds that is the kernel's again
}  // namespace

// Takes notice of what the program has given back since the last look.
void Kernel::look_at_buffers() {
  for (auto& [id, group] : groups_) {
    for (; group.seen != group.ring->tail; ++group.seen) {
      const io_uring_buf& given = group.ring->bufs[group.seen & (group.entries - 1)];
      if (given.bid >= group.entries)
        world_.violated("a receive buffer is given back that there is not");
      BufferGroup::Buffer& buffer = group.buffers[given.bid];
      if (buffer.with_kernel) world_.violated("a receive buffer is given back twice");
      if (buffer.address != 0 && (buffer.address != given.addr || buffer.length != given.len))
        world_.violated("a receive buffer is given back as another one");
      buffer = {given.addr, given.len, true};
      ASAN_UNPOISON_MEMORY_REGION(reinterpret_cast<char*>(given.addr), given.len);
      std::memset(reinterpret_cast<char*>(given.addr), stale, std::min<size_t>(given.len, 4096));
      ASAN_POISON_MEMORY_REGION(reinterpret_cast<char*>(given.addr), given.len);
    }
  }
}

bool Kernel::pick_buffer(BufferGroup& group, uint16_t& number, BufferGroup::Buffer*& memory) {
  if (group.ring == nullptr || group.head == group.seen) return false;
  number = group.ring->bufs[group.head++ & (group.entries - 1)].bid;
  memory = &group.buffers[number];
  memory->with_kernel = false;
  return true;
}

// Of a buffer, what was received alone may be read.
void Kernel::fill(const BufferGroup::Buffer& buffer, std::string_view bytes) {
  ASAN_UNPOISON_MEMORY_REGION(reinterpret_cast<char*>(buffer.address), bytes.size());
  std::memcpy(reinterpret_cast<char*>(buffer.address), bytes.data(), bytes.size());
}

int Kernel::register_buffers(const io_uring_buf_reg& registration) {
  BufferGroup& group = groups_[registration.bgid];
  group.ring = reinterpret_cast<io_uring_buf_ring*>(registration.ring_addr);
  group.entries = registration.ring_entries;
  group.head = group.seen = 0;
  group.buffers.assign(group.entries, {});
  return 0;
}

int Kernel::unregister_buffers(int id) {
  look_at_buffers();
  BufferGroup& group = groups_[id];
  const auto lost =
      std::count_if(group.buffers.begin(), group.buffers.end(),
                    [](const BufferGroup::Buffer& buffer) { return !buffer.with_kernel; });
  for (const BufferGroup::Buffer& buffer : group.buffers)
    ASAN_UNPOISON_MEMORY_REGION(reinterpret_cast<char*>(buffer.address), buffer.length);
  if (lost != 0)
    world_.violated(std::to_string(lost) + " receive buffers were not given back in the end");
  groups_.erase(id);
  return 0;
}

}  // namespace ringpost::simulation
