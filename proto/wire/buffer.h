// A growable run of bytes with a consumed front: what a connection has yet to parse, or has yet to
// send.
//
//     | consumed |   data (size)   |   room   |
//     ^ storage                               ^ storage + capacity
//
// The buffer owns its storage. Views of it (data(), room from prepare()) live until the next
// prepare(), append(), release() or swap; consume() alone moves nothing. An empty buffer starts
// anew at the front of its storage, and release() gives the storage back, so that an idle
// connection costs no memory. It holds 2 GiB at most (else std::bad_alloc): positions are 32 bits
// wide, as each connection has several buffers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

namespace ringpost::proto::wire {

class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer taken(std::move(other));
    swap(taken);
    return *this;
  }
  ~Buffer() { release(); }

  bool empty() const { return begin_ == end_; }
  size_t size() const { return size_t{end_} - begin_; }
  size_t capacity() const { return capacity_; }
  char* data() { return storage_ + begin_; }
  std::string_view view() const { return {storage_ + begin_, size()}; }

  // At least `length` writable bytes behind the data; commit() says how many of them were written.
  char* prepare(size_t length) {
    if (room() < length) [[unlikely]]
      grow(length);
    return storage_ + end_;
  }
  void commit(size_t length) { end_ += static_cast<uint32_t>(length); }
  // Writable bytes behind the data, as they are now.
  size_t room() const { return size_t{capacity_} - end_; }

  void append(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(prepare(bytes.size()), bytes.data(), bytes.size());
    commit(bytes.size());
  }
  void append(char byte) {
    *prepare(1) = byte;
    commit(1);
  }

  // Drops `length` bytes (at most size()) from the front.
  void consume(size_t length) {
    begin_ += static_cast<uint32_t>(length);
    if (begin_ == end_) begin_ = end_ = 0;
  }
  // Drops what stands behind the first `length` bytes of the data (length at most size()).
  void truncate(size_t length) { end_ = begin_ + static_cast<uint32_t>(length); }
  void clear() { begin_ = end_ = 0; }

  // Frees the storage, and the data with it.
  void release();

  void swap(Buffer& other) noexcept {
    std::swap(storage_, other.storage_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
    std::swap(capacity_, other.capacity_);
  }

 private:
  void grow(size_t length);

  char* storage_ = nullptr;
  uint32_t begin_ = 0, end_ = 0, capacity_ = 0;
};

}  // namespace ringpost::proto::wire
