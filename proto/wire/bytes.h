// Integers in network byte order: how PostgreSQL's protocol writes them (Protocol, 55.1.4 "Message
// Data Types").
//
// Reader walks a view that it does not own and never reads past it: the first read that does not
// fit makes ok() false for good and yields zeros and empty views, so a caller checks once, at the
// end.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace ringpost::proto::wire {

template <std::integral T>
T load_big_endian(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  if constexpr (sizeof(T) > 1 && std::endian::native == std::endian::little)
    value = std::byteswap(value);
  return value;
}

template <std::integral T>
char* store_big_endian(char* at, T value) {
  if constexpr (sizeof(T) > 1 && std::endian::native == std::endian::little)
    value = std::byteswap(value);
  std::memcpy(at, &value, sizeof value);
  return at + sizeof value;
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool ok() const { return ok_; }
  // All was read, and nothing is left over.
  bool finished() const { return ok_ && at_ == end_; }
  size_t remaining() const { return static_cast<size_t>(end_ - at_); }

  template <std::integral T>
  T integer() {
    if (remaining() < sizeof(T)) return fail(), T{};
    const T value = load_big_endian<T>(at_);
    at_ += sizeof(T);
    return value;
  }
  std::string_view bytes(size_t length) {
    if (remaining() < length) return fail(), std::string_view{};
    const std::string_view taken(at_, length);
    at_ += length;
    return taken;
  }
  // A String of the protocol: up to its terminating zero, which is taken too but is not in the
  // view.
  std::string_view string() {
    const auto* zero = static_cast<const char*>(std::memchr(at_, 0, remaining()));
    if (zero == nullptr) return fail(), std::string_view{};
    const std::string_view taken(at_, static_cast<size_t>(zero - at_));
    at_ = zero + 1;
    return taken;
  }

 private:
  void fail() {
    ok_ = false;
    at_ = end_;
  }

  const char* at_;
  const char* end_;
  bool ok_ = true;
};

}  // namespace ringpost::proto::wire
