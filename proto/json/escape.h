// Escaping of JSON strings (RFC 8259, 7): quotation mark, reverse solidus and U+0000 to U+001F, the
// short forms where there are any, else \u00xx. All else, "/", DEL and what is not ASCII, stands
// for itself; UTF-8 is taken as it comes.
//
// Text seldom has anything to escape, so it is copied first and looked at meanwhile (copy_plain);
// only when that finds something it is written again (escape). Sixteen bytes are looked at at once:
// Sse2Block where there is SSE2, which every x86-64 has, else PortableBlock. Nothing outside of
// the text is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace ringpost::proto::json {

namespace detail {

template <class T>
T copy_as(char* to, const char* from) {
  T bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  std::memcpy(to, &bytes, sizeof bytes);
  return bytes;
}

// Not zero when one of eight bytes must be escaped. 0x22 is the one character of 0x20 and above
// that an exclusive or with 2 puts at 0x20 or below.
constexpr uint64_t specials(uint64_t bytes) {
  constexpr uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
  const uint64_t low_or_quote = (bytes ^ ones * 2) - ones * 0x21;
  const uint64_t backslash = (bytes ^ ones * '\\') - ones;
  return (low_or_quote | backslash) & ~bytes & highs;
}

}  // namespace detail

// Copies sixteen bytes; not zero when one of them must be escaped.
struct PortableBlock {
  static uint64_t copy(char* to, const char* from) {
    return detail::specials(detail::copy_as<uint64_t>(to, from)) |
           detail::specials(detail::copy_as<uint64_t>(to + 8, from + 8));
  }
};

#if defined(__SSE2__)
struct Sse2Block {
  static uint64_t copy(char* to, const char* from) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
    const __m128i turned = _mm_xor_si128(bytes, _mm_set1_epi8(2));
    const __m128i low_or_quote = _mm_cmpeq_epi8(_mm_min_epu8(turned, _mm_set1_epi8(0x20)), turned);
    const __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    return static_cast<uint64_t>(_mm_movemask_epi8(_mm_or_si128(low_or_quote, backslash)));
  }
};
using Block = Sse2Block;
#else
using Block = PortableBlock;
#endif

// Copies `length` bytes; whether none of them must be escaped. Meant for short text: it looks at
// all of it before it says so.
template <class AnyBlock = Block>
bool copy_plain(char* to, const char* from, size_t length) {
  using namespace detail;
  // Two pieces of one size, which overlap in the middle, cover any length up to the double of it.
  if (length >= 16) {
    uint64_t found = AnyBlock::copy(to + length - 16, from + length - 16);
    for (size_t at = 0; at + 16 < length; at += 16) found |= AnyBlock::copy(to + at, from + at);
    return found == 0;
  }
  if (length >= 8)
    return (specials(copy_as<uint64_t>(to, from)) |
            specials(copy_as<uint64_t>(to + length - 8, from + length - 8))) == 0;
  if (length >= 4) {
    const uint64_t first = copy_as<uint32_t>(to, from);
    return specials(first | uint64_t{copy_as<uint32_t>(to + length - 4, from + length - 4)}
                                << 32) == 0;
  }
  if (length >= 2) {
    const uint64_t first = copy_as<uint16_t>(to, from);
    const uint64_t both = first | uint64_t{copy_as<uint16_t>(to + length - 2, from + length - 2)}
                                      << 16;
    return specials(both | both << 32) == 0;
  }
  return length == 0 || specials(copy_as<uint8_t>(to, from) * 0x0101010101010101U) == 0;
}

// The room that escape() needs for text of this length: a character becomes at most six, and each
// is stored as eight.
constexpr size_t escape_room(size_t length) {
  return 6 * length + 8;
}

// Writes what stands between the quotes; returns where it ends.
template <class AnyBlock = Block>
char* escape(char* to, std::string_view text);

}  // namespace ringpost::proto::json
