// numeric: a decimal number, exact, as numeric_send and numeric_recv have it
// (src/backend/utils/adt/numeric.c), and its text.
//
//     on the wire, each 16 bits:  count of digits | weight | kind | scale | digits...
//
// A digit counts to 10,000; the first stands for digits[0] * 10,000^weight, and so on down. `scale`
// is how many decimal places are shown, which may be more or fewer than the digits have:
//
//     12345.678   weight 1, digits {1, 2345, 6780}, scale 3
//     0.00        weight 0, no digits, scale 2
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::proto::pg {

struct Numeric {
  // Numbered as on the wire.
  enum class Kind : uint16_t {
    positive = 0,
    negative = 0x4000,
    nan = 0xc000,
    infinite = 0xd000,  // PostgreSQL 14 and newer
    minus_infinite = 0xf000,
  };
  Kind kind = Kind::positive;
  int16_t weight = 0;
  uint16_t scale = 0;           // 0 to 16,383
  std::vector<int16_t> digits;  // 0 to 9,999 each, 65,535 at most

  bool finite() const { return kind == Kind::positive || kind == Kind::negative; }
  // Of the same form, NaN too: 1.5 and 1.50 are two.
  bool operator==(const Numeric&) const = default;
};

// As PostgreSQL's numeric_out writes it: all digits, a point and `scale` places; NaN, Infinity,
// -Infinity.
std::string write_numeric(const Numeric& number);

// The text of write_numeric, with any zeros in front and an optional +; nothing else, so no
// exponent. Empty also for more than 131,072 digits before the point or 16,383 behind it, where
// PostgreSQL ends.
std::optional<Numeric> parse_numeric(std::string_view text);

// numeric_recv and numeric_send. Digits of what is not finite, which no server sends, are refused;
// the weight and scale it may come with (0 and 32) mean nothing and are not kept.
bool decode_numeric(std::string_view bytes, Numeric& number);
void encode_numeric(char* at, const Numeric& number);

}  // namespace ringpost::proto::pg
