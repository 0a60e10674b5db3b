// StatementName: what the server knows a prepared statement by: its name, and a hash of its SQL and
// its parameters' types.
//
//     find_user_3b5c1d9f00a1e2b4
//
// Where sessions outlive their clients (PgBouncer keeps them for the next one) another program may
// have prepared its own statement of the same name, and its answers would be taken for ours. One
// that says the same is no harm. An empty name stays so: it is the unnamed statement's.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "proto/pg/oid.h"

namespace ringpost::proto::pg {

class StatementName {
 public:
  // A name's first 46 characters are enough to be read: the server cuts names off behind 63
  // (NAMEDATALEN - 1), which is where the hash would be.
  constexpr StatementName(std::string_view name, std::string_view sql,
                          std::span<const Oid> parameters) {
    if (name.empty()) return;
    for (const char c : name.substr(0, max_size - 1 - hash_digits)) text_[size_++] = c;
    text_[size_++] = '_';
    const uint64_t hash = hash_of(sql, parameters);
    for (int digit = hash_digits - 1; digit >= 0; --digit)
      text_[size_++] = "0123456789abcdef"[hash >> 4 * digit & 0xf];
  }

  constexpr std::string_view view() const { return {text_.data(), size_}; }

 private:
  static constexpr size_t max_size = 63;
  static constexpr int hash_digits = 16;

  // FNV-1a, of 64 bits: two statements of one name meet by chance once in 10^19, and nobody gains
  // by making them.
  static constexpr uint64_t hash_of(std::string_view sql, std::span<const Oid> parameters) {
    uint64_t hash = 0xcbf29ce484222325;
    const auto add = [&hash](uint8_t byte) { hash = (hash ^ byte) * 0x100000001b3; };
    for (const char c : sql) add(static_cast<uint8_t>(c));
    for (const Oid type : parameters)
      for (int shift = 24; shift >= 0; shift -= 8) add(static_cast<uint8_t>(type >> shift));
    return hash;
  }

  std::array<char, max_size> text_{};
  uint8_t size_ = 0;
};

}  // namespace ringpost::proto::pg
