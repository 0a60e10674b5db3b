#include "proto/pg/uuid.h"

#include <cstring>

#if defined(__SSSE3__)
#include <tmmintrin.h>
#endif

namespace ringpost::proto::pg {

namespace {

// Where in the text the digits of each byte begin.
constexpr uint8_t places[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

struct HexValues {
  int8_t of[256];
  constexpr HexValues() : of() {
    for (int c = 0; c < 256; ++c) of[c] = -1;
    for (int8_t i = 0; i < 10; ++i) of['0' + i] = i;
    for (int8_t i = 0; i < 6; ++i) of['a' + i] = of['A' + i] = static_cast<int8_t>(10 + i);
  }
};
constexpr HexValues hex_values;

struct HexPairs {
  char of[256][2];
  constexpr HexPairs() : of() {
    constexpr char digits[] = "0123456789abcdef";
    for (int b = 0; b < 256; ++b) {
      of[b][0] = digits[b >> 4];
      of[b][1] = digits[b & 15];
    }
  }
};
constexpr HexPairs hex_pairs;

}  // namespace

std::optional<Uuid> parse_uuid(std::string_view text) {
  if (text.size() != uuid_text_length) return std::nullopt;
  if (text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') return std::nullopt;
  Uuid uuid;
  int all = 0;  // negative once a character is no digit
  for (size_t i = 0; i < 16; ++i) {
    const int high = hex_values.of[static_cast<uint8_t>(text[places[i]])];
    const int low = hex_values.of[static_cast<uint8_t>(text[places[i] + 1U])];
    all |= high | low;
    uuid.bytes[i] = static_cast<uint8_t>(high << 4 | (low & 15));
  }
  if (all < 0) return std::nullopt;
  return uuid;
}

char* write_uuid(char* at, const Uuid& uuid) {
#if defined(__SSSE3__)
  // Each byte becomes two digits by a table look-up of its halves; the hyphens are then opened up
  // between them.
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(uuid.bytes.data()));
  const __m128i low_bits = _mm_set1_epi8(15);
  const __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), low_bits),
                low = _mm_and_si128(bytes, low_bits);
  const __m128i digits =
      _mm_setr_epi8('0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f');
  char hex[32];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(hex),
                   _mm_shuffle_epi8(digits, _mm_unpacklo_epi8(high, low)));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(hex + 16),
                   _mm_shuffle_epi8(digits, _mm_unpackhi_epi8(high, low)));
  std::memcpy(at, hex, 8);
  std::memcpy(at + 9, hex + 8, 4);
  std::memcpy(at + 14, hex + 12, 4);
  std::memcpy(at + 19, hex + 16, 4);
  std::memcpy(at + 24, hex + 20, 12);
#else
  for (size_t i = 0; i < 16; ++i) std::memcpy(at + places[i], hex_pairs.of[uuid.bytes[i]], 2);
#endif
  at[8] = at[13] = at[18] = at[23] = '-';
  return at + uuid_text_length;
}

}  // namespace ringpost::proto::pg
