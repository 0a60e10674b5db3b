// A copy of bytes in a heap block of exactly their size: AddressSanitizer then sees any read before
// its first or behind its last.
#pragma once

#include <cstring>
#include <memory>
#include <string_view>

namespace ringpost::tests {

class Guarded {
 public:
  explicit Guarded(std::string_view bytes)
      : block_(new char[bytes.size()]), view_(block_.get(), bytes.size()) {
    if (!bytes.empty()) std::memcpy(block_.get(), bytes.data(), bytes.size());
  }

  std::string_view view() const { return view_; }

 private:
  std::unique_ptr<char[]> block_;
  std::string_view view_;
};

}  // namespace ringpost::tests
