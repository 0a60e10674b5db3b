// Backend messages, built byte by byte for tests, and bytes that stand flush against the end of a
// heap block, so that a sanitizer sees every read past them.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace ringpost::tests {

// Network byte order.
inline std::string int16(int value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value)};
}
inline std::string int32(int64_t value) {
  return int16(static_cast<int>(value >> 16 & 0xffff)) + int16(static_cast<int>(value & 0xffff));
}
inline std::string int64(int64_t value) {
  return int32(value >> 32) + int32(value & 0xffffffff);
}
inline std::string cstring(std::string_view text) {
  return std::string(text) + '\0';
}

inline std::string message(char type, std::string_view body) {
  return type + int32(static_cast<int64_t>(body.size()) + 4) + std::string(body);
}

// A value of a DataRow, behind its length.
inline std::string value(std::string_view bytes) {
  return int32(static_cast<int64_t>(bytes.size())) + std::string(bytes);
}
inline const std::string null_value = "\xff\xff\xff\xff";

// A field of a RowDescription.
inline std::string field(std::string_view name, uint32_t type) {
  return cstring(name) + int32(0) + int16(0) + int32(type) + int16(-1) + int32(-1) + int16(1);
}

// A copy of `bytes` in a heap block of just their size.
class Exact {
 public:
  explicit Exact(std::string_view bytes)
      : block_(std::make_unique<char[]>(bytes.size())), size_(bytes.size()) {
    if (size_ != 0) std::memcpy(block_.get(), bytes.data(), size_);
  }
  std::string_view view() const { return {block_.get(), size_}; }

 private:
  std::unique_ptr<char[]> block_;
  size_t size_;
};

}  // namespace ringpost::tests
