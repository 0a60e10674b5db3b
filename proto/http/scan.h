// The loops over request bytes that are hot: sixteen bytes at a time with SSE2, which every x86-64
// has, else one by one.
//
// They never read at or past `end`.
#pragma once

#include "proto/http/characters.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace ringpost::proto::http::detail {

// The first byte that may not stand in a field value: a control character other than HTAB, or DEL.
constexpr bool ends_field(char c) {
  return !is(field, c);
}
// The first byte that may not stand in a request-target: blank, control, '#', not ASCII.
constexpr bool ends_target(char c) {
  return !is(target, c);
}

inline const char* scan_token(const char* at, const char* end) {
  while (at != end && is(token, *at)) ++at;
  return at;
}

#if defined(__SSE2__)

template <class Ends, class Mask>
const char* scan(const char* at, const char* end, Ends ends, Mask mask) {
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    if (const int found = _mm_movemask_epi8(mask(bytes)); found != 0)
      return at + __builtin_ctz(static_cast<unsigned>(found));
  }
  while (at != end && !ends(*at)) ++at;
  return at;
}

inline __m128i at_most(__m128i bytes, char limit) {
  return _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(limit)), bytes);
}
inline __m128i at_least(__m128i bytes, char limit) {
  return _mm_cmpeq_epi8(_mm_max_epu8(bytes, _mm_set1_epi8(limit)), bytes);
}
inline __m128i equal(__m128i bytes, char value) {
  return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(value));
}

inline const char* scan_field(const char* at, const char* end) {
  return scan(at, end, ends_field, [](__m128i bytes) {
    return _mm_or_si128(_mm_andnot_si128(equal(bytes, '\t'), at_most(bytes, 0x1f)),
                        equal(bytes, 0x7f));
  });
}

inline const char* scan_target(const char* at, const char* end) {
  return scan(at, end, ends_target, [](__m128i bytes) {
    return _mm_or_si128(_mm_or_si128(at_most(bytes, 0x20), at_least(bytes, 0x7f)),
                        equal(bytes, '#'));
  });
}

#else

inline const char* scan_field(const char* at, const char* end) {
  while (at != end && !ends_field(*at)) ++at;
  return at;
}

inline const char* scan_target(const char* at, const char* end) {
  while (at != end && !ends_target(*at)) ++at;
  return at;
}

#endif

}  // namespace ringpost::proto::http::detail
