// SHA-256, HMAC, PBKDF2 and MD5 as FIPS 180-4, RFC 2104, RFC 8018 and RFC 1321 write them down,
// slow and plain: so that SCRAM can be tested and fuzzed without a library, and against which
// src/pg/crypto is compared. plain_crypto() is what Scram takes; its "random" bytes are the ones
// given to next_random().
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "proto/pg/scram.h"

namespace ringpost::tests {

using proto::pg::Digest;

inline void sha256_block(std::array<uint32_t, 8>& state, const uint8_t* block) {
  static constexpr uint32_t k[64] = {
      0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
      0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
      0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
      0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
      0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
      0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
      0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
      0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
      0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
      0xc67178f2};
  uint32_t w[64];
  for (size_t i = 0; i < 16; ++i)
    w[i] = uint32_t{block[4 * i]} << 24 | uint32_t{block[4 * i + 1]} << 16 |
           uint32_t{block[4 * i + 2]} << 8 | block[4 * i + 3];
  for (size_t i = 16; i < 64; ++i) {
    const uint32_t a = w[i - 15], b = w[i - 2];
    w[i] = w[i - 16] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ a >> 3) + w[i - 7] +
           (std::rotr(b, 17) ^ std::rotr(b, 19) ^ b >> 10);
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (size_t i = 0; i < 64; ++i) {
    const uint32_t t1 = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) +
                        ((e & f) ^ (~e & g)) + k[i] + w[i];
    const uint32_t t2 =
        (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  const uint32_t worked[] = {a, b, c, d, e, f, g, h};
  for (size_t i = 0; i < 8; ++i) state[i] += worked[i];
}

inline Digest plain_sha256(std::string_view data) {
  std::string padded(data);
  padded += '\x80';
  while (padded.size() % 64 != 56) padded += '\0';
  for (int shift = 56; shift >= 0; shift -= 8)
    padded += static_cast<char>(uint64_t{data.size()} * 8 >> shift & 0xff);
  std::array<uint32_t, 8> state{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  for (size_t at = 0; at < padded.size(); at += 64)
    sha256_block(state, reinterpret_cast<const uint8_t*>(padded.data()) + at);
  Digest digest;
  for (size_t i = 0; i < digest.size(); ++i)
    digest[i] = static_cast<uint8_t>(state[i / 4] >> (24 - 8 * (i % 4)));
  return digest;
}

inline std::string_view view_of(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

inline Digest plain_hmac_sha256(std::string_view key, std::string_view data) {
  std::string block(key.size() > 64 ? std::string(view_of(plain_sha256(key))) : std::string(key));
  block.resize(64);
  std::string inner, outer;
  for (const char byte : block) {
    inner += static_cast<char>(byte ^ 0x36);
    outer += static_cast<char>(byte ^ 0x5c);
  }
  return plain_sha256(outer + std::string(view_of(plain_sha256(inner.append(data)))));
}

inline Digest plain_pbkdf2_sha256(std::string_view password, std::string_view salt,
                                  uint32_t iterations) {
  Digest round = plain_hmac_sha256(password, std::string(salt) + std::string("\0\0\0\1", 4));
  Digest sum = round;
  for (uint32_t i = 1; i < iterations; ++i) {
    round = plain_hmac_sha256(password, view_of(round));
    for (size_t j = 0; j < sum.size(); ++j) sum[j] ^= round[j];
  }
  return sum;
}

// RFC 1321, whose table of sines is worked out here.
inline std::optional<proto::pg::Md5Digest> plain_md5(std::string_view data) {
  static constexpr int shifts[4][4] = {
      {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
  std::string padded(data);
  padded += '\x80';
  while (padded.size() % 64 != 56) padded += '\0';
  for (int shift = 0; shift < 64; shift += 8)
    padded += static_cast<char>(uint64_t{data.size()} * 8 >> shift & 0xff);
  uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  for (size_t at = 0; at < padded.size(); at += 64) {
    uint32_t words[16];
    for (size_t i = 0; i < 64; ++i) {
      uint32_t& word = words[i / 4];
      word = (i % 4 == 0 ? 0 : word) | uint32_t{static_cast<uint8_t>(padded[at + i])}
                                           << 8 * (i % 4);
    }
    auto [a, b, c, d] = state;
    for (uint32_t i = 0; i < 64; ++i) {
      const uint32_t round = i / 16;
      const uint32_t mixed = round == 0   ? (b & c) | (~b & d)
                             : round == 1 ? (d & b) | (~d & c)
                             : round == 2 ? b ^ c ^ d
                                          : c ^ (b | ~d);
      const uint32_t word = round == 0   ? i
                            : round == 1 ? (5 * i + 1) % 16
                            : round == 2 ? (3 * i + 5) % 16
                                         : 7 * i % 16;
      const auto sine = static_cast<uint32_t>(std::abs(std::sin(i + 1.0)) * 4294967296.0);
      const uint32_t sum = a + mixed + sine + words[word];
      a = d, d = c, c = b;
      b += std::rotl(sum, shifts[round][i % 4]);
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
  }
  proto::pg::Md5Digest digest;
  for (size_t i = 0; i < digest.size(); ++i)
    digest[i] = static_cast<uint8_t>(state[i / 4] >> 8 * (i % 4));
  return digest;
}

inline std::string& next_random() {
  static std::string bytes = "fifteen random.";
  return bytes;
}

inline const proto::pg::Crypto& plain_crypto() {
  static const proto::pg::Crypto crypto{
      .sha256 = plain_sha256,
      .hmac_sha256 = plain_hmac_sha256,
      .pbkdf2_sha256 = plain_pbkdf2_sha256,
      .random_bytes = [](size_t) { return next_random(); },
      .equal = [](std::string_view a, std::string_view b) { return a == b; },
      .md5 = plain_md5,
  };
  return crypto;
}

}  // namespace ringpost::tests
