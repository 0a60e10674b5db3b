// A checksum of bytes that are on their way, to see whether they were changed (FNV-1a, by words).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace ringpost::simulation {

inline uint64_t checksum_of(const void* bytes, size_t size) {
  const auto* at = static_cast<const unsigned char*>(bytes);
  uint64_t sum = 1469598103934665603;
  for (; size >= 8; size -= 8, at += 8) {
    uint64_t word;
    std::memcpy(&word, at, sizeof word);
    sum = (sum ^ word) * 1099511628211ULL;
    sum ^= sum >> 29;
  }
  for (; size != 0; --size) sum = (sum ^ *at++) * 1099511628211ULL;
  return sum;
}

}  // namespace ringpost::simulation
