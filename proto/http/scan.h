// The loops over a head's bytes that are hot. Each walks from `at` over characters of one class and
// stops at the first that is not of it, or at `end`.
//
// With SSE2, which every x86-64 has, sixteen bytes at a time; `portable` one by one, by table. What
// is left at the end is looked at within the sixteen bytes that end there, when `begin`, the first
// byte of the input, lies before them: nothing outside of [begin, end) is ever read.
#pragma once

#include <bit>

#include "proto/http/characters.h"

#if defined(__SSE2__) && !defined(RINGPOST_PORTABLE_SCAN)
#include <emmintrin.h>
#define RINGPOST_SSE2_SCAN 1
#endif

namespace ringpost::proto::http {

namespace portable {

inline const char* scan_token(const char* /*begin*/, const char* at, const char* end) {
  while (at != end && is_tchar(*at)) ++at;
  return at;
}
inline const char* scan_field_content(const char* /*begin*/, const char* at, const char* end) {
  while (at != end && is_field_content(*at)) ++at;
  return at;
}
inline const char* scan_uri(const char* /*begin*/, const char* at, const char* end) {
  while (at != end && is_uri(*at)) ++at;
  return at;
}

}  // namespace portable

#if defined(RINGPOST_SSE2_SCAN)

namespace sse2 {

inline __m128i at_most(__m128i bytes, char limit) {
  return _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(limit)), bytes);
}
inline __m128i at_least(__m128i bytes, char limit) {
  return _mm_cmpeq_epi8(_mm_max_epu8(bytes, _mm_set1_epi8(limit)), bytes);
}
inline __m128i equal(__m128i bytes, char value) {
  return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(value));
}

// `stops` marks the bytes at which to stop.
template <class Stops>
const char* scan(const char* begin, const char* at, const char* end, Stops stops,
                 bool (*goes_on)(char)) {
  const auto stops_in = [&](const char* sixteen) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(sixteen));
    return static_cast<unsigned>(_mm_movemask_epi8(stops(bytes)));
  };
  for (; end - at >= 16; at += 16)
    if (const unsigned found = stops_in(at); found != 0) return at + std::countr_zero(found);
  if (end - begin >= 16) {
    const auto before = 16 - (end - at);
    const unsigned found = stops_in(end - 16) >> before;
    return found != 0 ? at + std::countr_zero(found) : end;
  }
  while (at != end && goes_on(*at)) ++at;
  return at;
}

// Names are letters, digits and hyphens, but for a few: the table knows the others.
inline const char* scan_token(const char* begin, const char* at, const char* end) {
  for (;; ++at) {
    at = scan(
        begin, at, end,
        [](__m128i bytes) {
          const __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
          const __m128i letter = _mm_and_si128(at_least(folded, 'a'), at_most(folded, 'z'));
          const __m128i digit = _mm_and_si128(at_least(bytes, '0'), at_most(bytes, '9'));
          const __m128i usual = _mm_or_si128(_mm_or_si128(letter, digit), equal(bytes, '-'));
          return _mm_cmpeq_epi8(usual, _mm_setzero_si128());
        },
        is_tchar);
    if (at == end || !is_tchar(*at)) return at;
  }
}

// To a control character other than HTAB, or DEL.
inline const char* scan_field_content(const char* begin, const char* at, const char* end) {
  return scan(
      begin, at, end,
      [](__m128i bytes) {
        return _mm_or_si128(_mm_andnot_si128(equal(bytes, '\t'), at_most(bytes, 0x1f)),
                            equal(bytes, 0x7f));
      },
      is_field_content);
}

// To a blank, a control character, "#", or what is not ASCII.
inline const char* scan_uri(const char* begin, const char* at, const char* end) {
  return scan(
      begin, at, end,
      [](__m128i bytes) {
        return _mm_or_si128(_mm_or_si128(at_most(bytes, 0x20), at_least(bytes, 0x7f)),
                            equal(bytes, '#'));
      },
      is_uri);
}

}  // namespace sse2

namespace scanning = sse2;
#else
namespace scanning = portable;
#endif

}  // namespace ringpost::proto::http
