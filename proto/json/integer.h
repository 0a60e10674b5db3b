// Integers in decimal, eight digits at a time and without a branch for each: the digits of a number
// below 10^8 are split in halves, pairs and single digits within one 64-bit word.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>

namespace ringpost::proto::json {

// The room that write_integer needs; the longest text is of 20 characters.
inline constexpr size_t integer_room = 24;

namespace detail {

// The digits of `value` (below 10^8) with leading zeros, the first in the lowest byte, as numbers.
// A product with 10486 / 2^20 divides by 100 what is below 10^4, one with 103 / 2^10 by 10 what is
// below 100.
constexpr uint64_t eight_digits(uint32_t value) {
  const uint64_t halves = value / 10'000 | uint64_t{value % 10'000} << 32;
  const uint64_t hundreds = (halves * 10'486 >> 20) & 0x0000'007f'0000'007f;
  const uint64_t pairs = hundreds | (halves - hundreds * 100) << 16;
  const uint64_t tens = (pairs * 103 >> 10) & 0x000f'000f'000f'000f;
  return tens | (pairs - tens * 10) << 8;
}

inline void store_digits(char* at, uint64_t digits) {
  digits |= 0x3030303030303030;
  if constexpr (std::endian::native == std::endian::big) digits = std::byteswap(digits);
  std::memcpy(at, &digits, 8);
}

// From 1 to 10^8 - 1, without leading zeros.
inline char* write_first_digits(char* at, uint32_t value) {
  const uint64_t digits = eight_digits(value);
  const int leading = std::countr_zero(digits) / 8;
  store_digits(at, digits >> (leading * 8));
  return at + 8 - leading;
}
inline char* write_eight_digits(char* at, uint32_t value) {
  store_digits(at, eight_digits(value));
  return at + 8;
}

}  // namespace detail

// Returns where the text ends. Within the room, what stands behind the end is not kept.
template <std::integral T>
char* write_integer(char* at, T value) {
  constexpr uint64_t ten_8 = 100'000'000;
  auto magnitude = static_cast<uint64_t>(value);
  if constexpr (std::signed_integral<T>) {
    if (value < 0) {
      *at++ = '-';
      magnitude = 0 - magnitude;
    }
  }
  if (magnitude < 10) {  // ages and counts: mostly small
    *at = static_cast<char>('0' + magnitude);
    return at + 1;
  }
  if (magnitude < 100) {
    const auto tens = static_cast<uint32_t>(magnitude) * 103 >> 10;
    at[0] = static_cast<char>('0' + tens);
    at[1] = static_cast<char>('0' + (static_cast<uint32_t>(magnitude) - tens * 10));
    return at + 2;
  }
  if (magnitude < ten_8) return detail::write_first_digits(at, static_cast<uint32_t>(magnitude));
  if constexpr (sizeof(T) == 8) {
    if (magnitude >= ten_8 * ten_8) {
      at = detail::write_first_digits(at, static_cast<uint32_t>(magnitude / (ten_8 * ten_8)));
      magnitude %= ten_8 * ten_8;
      at = detail::write_eight_digits(at, static_cast<uint32_t>(magnitude / ten_8));
      return detail::write_eight_digits(at, static_cast<uint32_t>(magnitude % ten_8));
    }
  }
  at = detail::write_first_digits(at, static_cast<uint32_t>(magnitude / ten_8));
  return detail::write_eight_digits(at, static_cast<uint32_t>(magnitude % ten_8));
}

}  // namespace ringpost::proto::json
