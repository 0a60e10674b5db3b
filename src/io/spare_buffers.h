// SpareBuffers: send buffers of a shard that nobody uses right now. They are lent, so that an idle
// connection holds none and a busy one gets a warm one.
//
// A buffer that is lent is its borrower's until take_back(). How many are kept, and how large, has
// a limit: what is beyond it is freed.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "proto/wire/buffer.h"

namespace ringpost::io {

class SpareBuffers {
 public:
  // Gives `buffer`, which has no storage, that of a spare one, if there is any.
  void lend(proto::wire::Buffer& buffer) {
    if (buffer.capacity() != 0 || spare_.empty()) return;
    buffer.swap(spare_.back());
    spare_.pop_back();
  }

  // Takes the storage; `buffer` is empty and has none.
  void take_back(proto::wire::Buffer& buffer) {
    buffer.clear();
    if (spare_.size() < most && buffer.capacity() != 0 && buffer.capacity() <= largest)
      spare_.push_back(std::move(buffer));
    else
      buffer.release();
  }

  // Of those that are kept.
  size_t size() const { return spare_.size(); }

  static constexpr size_t most = 256, largest = 128 * 1024;

 private:
  std::vector<proto::wire::Buffer> spare_;
};

}  // namespace ringpost::io
