#include "proto/wire/buffer.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <new>

namespace ringpost::proto::wire {

namespace {
constexpr size_t least_capacity = 512, most_capacity = size_t{1} << 31;
}

void Buffer::release() {
  std::free(storage_);
  storage_ = nullptr;
  begin_ = end_ = capacity_ = 0;
}

void Buffer::grow(size_t length) {
  const size_t held = size();
  if (capacity_ - held >= length && begin_ >= held) {  // the consumed front is room enough
    std::memcpy(storage_, storage_ + begin_, held);
  } else {
    if (length > most_capacity - held) throw std::bad_alloc();
    const size_t wanted = std::bit_ceil(std::max(held + length, least_capacity));
    auto* storage = static_cast<char*>(std::malloc(wanted));
    if (storage == nullptr) throw std::bad_alloc();
    if (held != 0) std::memcpy(storage, storage_ + begin_, held);
    std::free(storage_);
    storage_ = storage;
    capacity_ = static_cast<uint32_t>(wanted);
  }
  begin_ = 0;
  end_ = static_cast<uint32_t>(held);
}

}  // namespace ringpost::proto::wire
