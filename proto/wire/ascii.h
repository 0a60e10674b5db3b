// How far text is ASCII. Most is to its end, and of a short one that is known before a validation
// of UTF-8 by vectors has got going (bench/text_bench.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace ringpost::proto::wire {

// Bytes from the beginning that are ASCII: all of them, or those before some place that is less
// than 32 bytes in front of the first that is not.
inline size_t ascii_prefix(std::string_view text) {
  constexpr uint64_t highs = 0x8080808080808080;
  constexpr size_t word = sizeof(uint64_t), block = 4 * word;
  const auto at = [&text](size_t offset) {
    uint64_t bytes;
    std::memcpy(&bytes, text.data() + offset, word);
    return bytes;
  };
  size_t done = 0;
  for (; text.size() - done >= block; done += block) {
    const uint64_t all = at(done) | at(done + word) | at(done + 2 * word) | at(done + 3 * word);
    if ((all & highs) != 0) return done;
  }
  if (text.size() >= block) {  // the last block again, as it may overlap
    const size_t last = text.size() - block;
    const uint64_t all = at(last) | at(last + word) | at(last + 2 * word) | at(last + 3 * word);
    return (all & highs) == 0 ? text.size() : done;
  }
  for (size_t i = done; i < text.size(); ++i)
    if (static_cast<signed char>(text[i]) < 0) return done;
  return text.size();
}

}  // namespace ringpost::proto::wire
