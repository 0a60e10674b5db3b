#include "proto/json/writer.h"

#include <array>
#include <bit>
#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace ringpost::proto::json {

namespace {

// The letter behind the backslash; 'u' for \u00xx; 0 for what stands for itself.
constexpr auto escapes = [] {
  std::array<char, 256> table{};
  for (size_t c = 0; c < 0x20; ++c) table[c] = 'u';
  table['\b'] = 'b';
  table['\f'] = 'f';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  table['"'] = '"';
  table['\\'] = '\\';
  return table;
}();

constexpr size_t longest_escape = 6;

// Eight bytes at a time: the high bit of each byte that must be escaped, and maybe of bytes behind
// the first such one.
constexpr uint64_t special_bytes(uint64_t bytes) {
  constexpr uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
  const uint64_t quote = bytes ^ (ones * '"'), backslash = bytes ^ (ones * '\\');
  return ((bytes - ones * 0x20) | (quote - ones) | (backslash - ones)) & ~bytes & highs;
}

// Copies bytes that stand for themselves from `from` to `to` until one does not, or `end`; returns
// how many. Up to 16 bytes more are written at `to`, none are read past `end`.
size_t copy_plain(char* to, const char* from, const char* end) {
  const char* const begin = from;
#if defined(__SSE2__)
  const __m128i controls = _mm_set1_epi8(0x1f), quote = _mm_set1_epi8('"'),
                backslash = _mm_set1_epi8('\\');
  for (; end - from >= 16; from += 16, to += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
    const __m128i special =
        _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(bytes, controls), bytes),
                     _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)));
    if (const int mask = _mm_movemask_epi8(special); mask != 0)
      return static_cast<size_t>(from - begin) +
             static_cast<size_t>(std::countr_zero(static_cast<unsigned>(mask)));
  }
#endif
  for (; end - from >= 8; from += 8, to += 8) {
    uint64_t bytes;
    std::memcpy(&bytes, from, 8);
    std::memcpy(to, &bytes, 8);
    if (special_bytes(bytes) != 0) break;
  }
  while (from != end && escapes[static_cast<uint8_t>(*from)] == 0) *to++ = *from++;
  return static_cast<size_t>(from - begin);
}

}  // namespace

Writer& Writer::string(std::string_view text) {
  constexpr size_t slack =
      16 + longest_escape + 2;  // what copy_plain may write too much, an escape, the quotes
  const char *from = text.data(), *const end = text.data() + text.size();
  reserve(text.size() + slack);
  *at_++ = '"';
  for (;;) {
    const size_t plain = copy_plain(at_, from, end);
    at_ += plain;
    from += plain;
    if (from == end) break;
    const auto byte = static_cast<uint8_t>(*from++);
    *at_++ = '\\';
    *at_++ = escapes[byte];
    if (escapes[byte] == 'u') {
      constexpr char digits[] = "0123456789abcdef";
      std::memcpy(at_, "00", 2);
      at_[2] = digits[byte >> 4];
      at_[3] = digits[byte & 15];
      at_ += 4;
    }
    reserve(static_cast<size_t>(end - from) + slack);
  }
  *at_++ = '"';
  return *this;
}

}  // namespace ringpost::proto::json
