#include "proto/pg/uuid.h"

#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace ringpost::proto::pg {

namespace {

// Where in the text the digits of each byte begin.
constexpr uint8_t places[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

constexpr auto hex_values = [] {
  std::array<int8_t, 256> table{};
  table.fill(-1);
  for (int8_t i = 0; i < 10; ++i) table[static_cast<size_t>('0' + i)] = i;
  for (int8_t i = 0; i < 6; ++i)
    table[static_cast<size_t>('a' + i)] = table[static_cast<size_t>('A' + i)] =
        static_cast<int8_t>(10 + i);
  return table;
}();

constexpr auto hex_pairs = [] {
  constexpr char digits[] = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> table{};
  for (size_t b = 0; b < 256; ++b) table[b] = {digits[b >> 4], digits[b & 15]};
  return table;
}();

bool has_form(std::string_view text) {
  return text.size() == uuid_text_length && text[8] == '-' && text[13] == '-' && text[18] == '-' &&
         text[23] == '-';
}

}  // namespace

namespace portable {

std::optional<Uuid> parse_uuid(std::string_view text) {
  if (!has_form(text)) return std::nullopt;
  Uuid uuid;
  int all = 0;  // negative once a character is no digit
  for (size_t i = 0; i < 16; ++i) {
    const int high = hex_values[static_cast<uint8_t>(text[places[i]])];
    const int low = hex_values[static_cast<uint8_t>(text[places[i] + 1U])];
    all |= high | low;
    uuid.bytes[i] = static_cast<uint8_t>((high & 15) << 4 | (low & 15));
  }
  if (all < 0) return std::nullopt;
  return uuid;
}

char* write_uuid(char* at, const Uuid& uuid) {
  for (size_t i = 0; i < 16; ++i) std::memcpy(at + places[i], hex_pairs[uuid.bytes[i]].data(), 2);
  at[8] = at[13] = at[18] = at[23] = '-';
  return at + uuid_text_length;
}

}  // namespace portable

#if defined(__SSE2__)

namespace {

template <class T>
T load(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

__m128i in_range(__m128i from_first, char last) {
  return _mm_cmpeq_epi8(_mm_min_epu8(from_first, _mm_set1_epi8(last)), from_first);
}

// The values of sixteen digits; `all` loses a bit for each character that is none.
__m128i values_of(__m128i text, __m128i& all) {
  const __m128i digit = _mm_sub_epi8(text, _mm_set1_epi8('0'));
  const __m128i letter = _mm_sub_epi8(_mm_or_si128(text, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
  const __m128i is_digit = in_range(digit, 9), is_letter = in_range(letter, 5);
  all = _mm_and_si128(all, _mm_or_si128(is_digit, is_letter));
  return _mm_or_si128(_mm_and_si128(is_digit, digit),
                      _mm_andnot_si128(is_digit, _mm_add_epi8(letter, _mm_set1_epi8(10))));
}

// Eight bytes from sixteen digits, each in a lane of 16 bits.
__m128i joined(__m128i values) {
  const __m128i high = _mm_and_si128(_mm_slli_epi16(values, 4), _mm_set1_epi16(0xf0));
  return _mm_or_si128(high, _mm_srli_epi16(values, 8));
}

__m128i digits_of(__m128i values) {
  const __m128i above_nine = _mm_cmpgt_epi8(values, _mm_set1_epi8(9));
  const __m128i to_letters = _mm_and_si128(above_nine, _mm_set1_epi8('a' - '0' - 10));
  return _mm_add_epi8(_mm_add_epi8(values, _mm_set1_epi8('0')), to_letters);
}

void store_four(char* at, __m128i bytes) {
  const int four = _mm_cvtsi128_si32(bytes);
  std::memcpy(at, &four, 4);
}

}  // namespace

std::optional<Uuid> parse_uuid(std::string_view text) {
  if (!has_form(text)) return std::nullopt;
  const char* const at = text.data();
  const __m128i first =
      _mm_set_epi32(load<int>(at + 14), load<int>(at + 9), load<int>(at + 4), load<int>(at));
  const __m128i second =
      _mm_set_epi32(load<int>(at + 32), load<int>(at + 28), load<int>(at + 24), load<int>(at + 19));
  __m128i all = _mm_set1_epi8(-1);
  const __m128i first_values = values_of(first, all), second_values = values_of(second, all);
  if (_mm_movemask_epi8(all) != 0xffff) return std::nullopt;
  Uuid uuid;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(uuid.bytes.data()),
                   _mm_packus_epi16(joined(first_values), joined(second_values)));
  return uuid;
}

char* write_uuid(char* at, const Uuid& uuid) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(uuid.bytes.data()));
  const __m128i four_bits = _mm_set1_epi8(15);
  const __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), four_bits),
                low = _mm_and_si128(bytes, four_bits);
  const __m128i first = digits_of(_mm_unpacklo_epi8(high, low)),
                second = digits_of(_mm_unpackhi_epi8(high, low));
  // The last twelve digits end a store of sixteen; what it writes before them is written over.
  _mm_storeu_si128(reinterpret_cast<__m128i*>(at + 20), second);
  store_four(at + 19, second);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(at), first);
  store_four(at + 9, _mm_srli_si128(first, 8));
  store_four(at + 14, _mm_srli_si128(first, 12));
  at[8] = at[13] = at[18] = at[23] = '-';
  return at + uuid_text_length;
}

#else

std::optional<Uuid> parse_uuid(std::string_view text) {
  return portable::parse_uuid(text);
}
char* write_uuid(char* at, const Uuid& uuid) {
  return portable::write_uuid(at, uuid);
}

#endif

}  // namespace ringpost::proto::pg
