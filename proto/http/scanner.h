// Scanners: where a request-target, a token or a field's content ends in a head. Each answers with
// the offset of the first byte at or behind `at` that is not of the class, or with `end`, and reads
// no byte outside of the head's [0, end). Tokens and content are asked for at places that only move
// on.
//
// WindowScanner looks at 64 bytes at once and notes a bit for each, set where a class stops:
//
//     t:\r\nAccept: */*\r\n\r\n      a window; its first byte is the lowest bit
//     .## # ......##.##.# # # #      where tokens stop
//     ..# # ...........# # # #       where field content stops
//
// What is asked is then a shift and a count of zeros. Names and values are short: where a vector is
// loaded for each of them, it is loaded from where the one before it ends, and waiting for that is
// most of the time. Windows follow each other whatever is in them.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "proto/http/characters.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// What is called in the hot loop is inlined into it, and so compiled for its instructions.
#define RINGPOST_INLINE [[gnu::always_inline]] inline
#define RINGPOST_AVX2 [[gnu::target("avx2,bmi,bmi2")]]

namespace ringpost::proto::http {

template <bool (*is_of_class)(char)>
size_t walk(const char* head, size_t at, size_t end) {
  while (at != end && is_of_class(head[at])) ++at;
  return at;
}

// Byte by byte, by the table of characters.h: what the others are measured by.
class PortableScanner {
 public:
  PortableScanner(const char* head, size_t /*at*/, size_t end) : head_(head), end_(end) {}

  size_t token_end(size_t at) const { return walk<is_tchar>(head_, at, end_); }
  size_t content_end(size_t at) const { return walk<is_field_content>(head_, at, end_); }
  static size_t uri_end(const char* head, size_t at, size_t end) {
    return walk<is_uri>(head, at, end);
  }

 private:
  const char* head_;
  size_t end_;
};

#if defined(__x86_64__)

// Where tokens and field content stop among up to 64 bytes.
struct Stops {
  uint64_t token = 0, content = 0;

  // Those of the bytes that lie `distance` behind too; less than 64.
  RINGPOST_INLINE void add(const Stops& behind, size_t distance) {
    token |= behind.token << distance;
    content |= behind.content << distance;
  }
  // Without the first `count` bytes; what lies behind the `left` others stops. Both less than 64.
  RINGPOST_INLINE Stops behind(size_t count, size_t left) const {
    const uint64_t beyond = ~uint64_t{0} << left;
    return {token >> count | beyond, content >> count | beyond};
  }
};

inline constexpr size_t window_bytes = 64;

// What stops in a window, by vectors that are smaller than it. Where the input ends in it, that
// stops all, and the last vector ends there as well: some bytes are looked at twice, or were in a
// window before.
template <class Vector>
RINGPOST_INLINE Stops stops_in_window(const char* head, size_t window, size_t end) {
  const size_t left = end - window;
  Stops stops;
  if (left >= window_bytes) {
    for (size_t i = 0; i < window_bytes; i += Vector::bytes)
      stops.add(Vector::stops_in(head + window + i), i);
    return stops;
  }
  if (left >= Vector::bytes) {
    for (size_t i = 0; i < window_bytes; i += Vector::bytes) {
      const size_t place = std::min(i, left - Vector::bytes);
      stops.add(Vector::stops_in(head + window + place), place);
    }
  } else if (left != 0 && end >= Vector::bytes) {
    return Vector::stops_in(head + end - Vector::bytes).behind(Vector::bytes - left, left);
  } else {
    for (size_t i = 0; i < left; ++i) {
      const char c = head[window + i];
      stops.add({!is_tchar(c), !is_field_content(c)}, i);
    }
  }
  return stops.behind(0, left);
}

// Sse2 and Avx2: how many bytes a vector of theirs has, and what stops among them.

struct Sse2 {
  static constexpr size_t bytes = 16;
  // Names are letters, digits and hyphens, but for a few: it stops at others too.
  static constexpr bool tokens_are_exact = false;

  static Stops stops_in(const char* at) {
    const __m128i v = load(at);
    const __m128i letter = in_range(_mm_or_si128(v, all(0x20)), 'a', 'z');
    const __m128i usual =
        _mm_or_si128(_mm_or_si128(letter, in_range(v, '0', '9')), _mm_cmpeq_epi8(v, all('-')));
    const __m128i del = _mm_cmpeq_epi8(v, all(0x7f));
    const __m128i control = _mm_andnot_si128(_mm_cmpeq_epi8(v, all('\t')), in_range(v, 0x00, 0x1f));
    return {bits(usual) ^ 0xffff, bits(_mm_or_si128(control, del))};
  }
  static uint64_t uri_stops_in(const char* at) {
    const __m128i v = load(at);
    // Compared as signed: what is not ASCII is less, too.
    const __m128i stops = _mm_or_si128(_mm_cmplt_epi8(v, all('!')), _mm_cmpeq_epi8(v, all('#')));
    return bits(_mm_or_si128(stops, _mm_cmpeq_epi8(v, all(0x7f))));
  }

  static __m128i load(const char* at) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  }
  static __m128i all(char c) { return _mm_set1_epi8(c); }
  // Bytes are compared as signed: so with the range moved to where these begin.
  static __m128i in_range(__m128i v, char first, char last) {
    const __m128i moved = _mm_add_epi8(v, all(static_cast<char>(0x80 - first)));
    return _mm_cmplt_epi8(moved, all(static_cast<char>(0x81 + last - first)));
  }
  static uint32_t bits(__m128i v) { return static_cast<uint32_t>(_mm_movemask_epi8(v)); }
};

// A class of ASCII characters in two tables, by halves of a byte: a bit for each upper half (none
// where it is not ASCII's), and for each lower half the bits of those upper ones that make a
// character of the class with it. Twice: shuffles work within 16 bytes.
using HalfTable = std::array<uint8_t, 32>;

template <class IsOfClass>
constexpr HalfTable lower_halves(IsOfClass is_of_class) {
  HalfTable table{};
  for (uint8_t c = 0; c < 0x80; ++c)
    if (is_of_class(static_cast<char>(c)))
      for (const size_t copy : {0uz, 16uz})
        table[copy + (c & 0x0f)] |= static_cast<uint8_t>(1 << (c >> 4));
  return table;
}
struct HalfTables {
  alignas(32) HalfTable upper{1, 2, 4, 8, 16, 32, 64, 128, 0,  0,  0,  0,
                              0, 0, 0, 0, 1,  2,  4,  8,   16, 32, 64, 128};
  alignas(32) HalfTable token = lower_halves(is_tchar);
  alignas(32) HalfTable control = lower_halves([](char c) { return !is_field_content(c); });
  alignas(32) HalfTable uri = lower_halves(is_uri);
};
inline constexpr HalfTables half_tables;

struct Avx2 {
  static constexpr size_t bytes = 32;
  static constexpr bool tokens_are_exact = true;

  RINGPOST_AVX2 static Stops stops_in(const char* at) {
    const __m256i v = load(at), upper = upper_half(v);
    return {outside(half_tables.token, v, upper),
            outside(half_tables.control, v, upper) ^ 0xffffffff};
  }
  RINGPOST_AVX2 static uint64_t uri_stops_in(const char* at) {
    const __m256i v = load(at);
    return outside(half_tables.uri, v, upper_half(v));
  }

 private:
  RINGPOST_AVX2 static __m256i load(const void* at) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(at));
  }
  // Its bit.
  RINGPOST_AVX2 static __m256i upper_half(__m256i v) {
    return _mm256_shuffle_epi8(load(&half_tables.upper),
                               _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(0x0f)));
  }
  // Shuffles look at the lower half of a byte, and find nothing where it is not ASCII.
  RINGPOST_AVX2 static uint64_t outside(const HalfTable& lower, __m256i v, __m256i upper) {
    const __m256i common = _mm256_and_si256(_mm256_shuffle_epi8(load(&lower), v), upper);
    return static_cast<uint32_t>(
        _mm256_movemask_epi8(_mm256_cmpeq_epi8(common, _mm256_setzero_si256())));
  }
};

template <class Vector>
class WindowScanner {
 public:
  RINGPOST_INLINE WindowScanner(const char* head, size_t at, size_t end)
      : head_(head), window_(at), end_(end) {
    look();
  }

  RINGPOST_INLINE size_t token_end(size_t at) {
    at = next<&Stops::token>(at);
    if constexpr (!Vector::tokens_are_exact)
      while (at != end_ && is_tchar(head_[at])) at = next<&Stops::token>(at + 1);
    return at;
  }
  RINGPOST_INLINE size_t content_end(size_t at) { return next<&Stops::content>(at); }

  RINGPOST_INLINE static size_t uri_end(const char* head, size_t at, size_t end) {
    for (; end - at >= Vector::bytes; at += Vector::bytes)
      if (const uint64_t stops = Vector::uri_stops_in(head + at); stops != 0)
        return at + static_cast<size_t>(std::countr_zero(stops));
    if (at == end || end < Vector::bytes) return walk<is_uri>(head, at, end);
    const uint64_t stops =
        Vector::uri_stops_in(head + end - Vector::bytes) >> (Vector::bytes - (end - at));
    return stops == 0 ? end : at + static_cast<size_t>(std::countr_zero(stops));
  }

 private:
  template <uint64_t Stops::* of_class>
  RINGPOST_INLINE size_t next(size_t at) {
    if (const auto place = static_cast<uint32_t>(at - window_); place < window_bytes) [[likely]] {
      const uint64_t stops = stops_.*of_class >> place;
      if (stops != 0) [[likely]]
        return at + static_cast<size_t>(std::countr_zero(stops));
    }
    uint64_t stops;
    do {
      window_ += window_bytes;
      at = std::max(at, window_);
      look();
      stops = stops_.*of_class >> (at - window_);
    } while (stops == 0);
    return at + static_cast<size_t>(std::countr_zero(stops));
  }

  RINGPOST_INLINE void look() { stops_ = stops_in_window<Vector>(head_, window_, end_); }

  const char* head_;
  size_t window_, end_;
  Stops stops_;
};

#endif

}  // namespace ringpost::proto::http
