#include "proto/pg/numeric.h"

#include <algorithm>

#include "proto/wire/bytes.h"

namespace ringpost::proto::pg {

namespace {

constexpr int base = 10'000, base_digits = 4;
constexpr size_t most_places = 16'383, most_whole_digits = 131'072;

// The digit of 10,000^power; none are zeros.
int digit_at(const Numeric& number, int power) {
  const int index = number.weight - power;
  return index >= 0 && static_cast<size_t>(index) < number.digits.size()
             ? number.digits[static_cast<size_t>(index)]
             : 0;
}

void append_digit(std::string& text, int digit) {
  for (int unit = base / 10; unit != 0; unit /= 10)
    text += static_cast<char>('0' + digit / unit % 10);
}

bool is_decimal(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::string write_numeric(const Numeric& number) {
  switch (number.kind) {
    case Numeric::Kind::nan:
      return "NaN";
    case Numeric::Kind::infinite:
      return "Infinity";
    case Numeric::Kind::minus_infinite:
      return "-Infinity";
    case Numeric::Kind::positive:
    case Numeric::Kind::negative:
      break;
  }
  std::string whole;
  for (int power = number.weight; power >= 0; --power) append_digit(whole, digit_at(number, power));
  whole.erase(0, std::min(whole.find_first_not_of('0'), whole.size()));
  std::string text = number.kind == Numeric::Kind::negative ? "-" : "";
  text += whole.empty() ? "0" : whole;
  if (number.scale == 0) return text;
  text += '.';
  const size_t end = text.size() + number.scale;
  for (int power = -1; text.size() < end; --power) append_digit(text, digit_at(number, power));
  text.resize(end);
  return text;
}

std::optional<Numeric> parse_numeric(std::string_view text) {
  if (text == "NaN") return Numeric{.kind = Numeric::Kind::nan, .digits = {}};
  if (text == "Infinity") return Numeric{.kind = Numeric::Kind::infinite, .digits = {}};
  if (text == "-Infinity") return Numeric{.kind = Numeric::Kind::minus_infinite, .digits = {}};
  Numeric number;
  if (text.starts_with('-')) number.kind = Numeric::Kind::negative;
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  const size_t point = std::min(text.find('.'), text.size());
  std::string_view whole = text.substr(0, point);
  const std::string_view places = text.substr(std::min(point + 1, text.size()));
  if ((whole.empty() && places.empty()) || !is_decimal(whole) || !is_decimal(places)) return {};
  whole.remove_prefix(std::min(whole.find_first_not_of('0'), whole.size()));
  if (whole.size() > most_whole_digits || places.size() > most_places) return {};

  // Filled up with zeros on both sides, to a whole count of digits to the base.
  std::string all(-whole.size() % base_digits, '0');
  all.append(whole).append(places).append(-places.size() % base_digits, '0');
  for (size_t at = 0; at < all.size(); at += base_digits) {
    int digit = 0;
    for (const char c : std::string_view(all).substr(at, base_digits)) digit = digit * 10 + c - '0';
    number.digits.push_back(static_cast<int16_t>(digit));
  }
  number.scale = static_cast<uint16_t>(places.size());
  int weight = static_cast<int>((whole.size() + base_digits - 1) / base_digits) - 1;
  const auto is_zero = [](int16_t digit) { return digit == 0; };
  const auto first = std::find_if_not(number.digits.begin(), number.digits.end(), is_zero);
  weight -= static_cast<int>(first - number.digits.begin());
  number.digits.erase(number.digits.begin(), first);
  while (!number.digits.empty() && number.digits.back() == 0) number.digits.pop_back();
  if (number.digits.empty()) {  // there is no negative zero
    number.kind = Numeric::Kind::positive;
    weight = 0;
  }
  number.weight = static_cast<int16_t>(weight);
  return number;
}

bool decode_numeric(std::string_view bytes, Numeric& number) {
  wire::Reader reader(bytes);
  const auto count = reader.integer<uint16_t>();
  number.weight = reader.integer<int16_t>();
  number.kind = static_cast<Numeric::Kind>(reader.integer<uint16_t>());
  number.scale = reader.integer<uint16_t>();
  if (!reader.ok() || reader.remaining() != size_t{count} * 2) return false;
  switch (number.kind) {
    case Numeric::Kind::positive:
    case Numeric::Kind::negative:
      break;
    case Numeric::Kind::nan:
    case Numeric::Kind::infinite:
    case Numeric::Kind::minus_infinite:
      number = {.kind = number.kind, .digits = {}};
      return count == 0;
    default:
      return false;
  }
  number.digits.resize(count);
  for (int16_t& digit : number.digits) {
    digit = reader.integer<int16_t>();
    if (digit < 0 || digit >= base) return false;
  }
  return number.scale <= most_places;
}

void encode_numeric(char* at, const Numeric& number) {
  at = wire::store_big_endian(at, static_cast<uint16_t>(number.digits.size()));
  at = wire::store_big_endian(at, number.weight);
  at = wire::store_big_endian(at, static_cast<uint16_t>(number.kind));
  at = wire::store_big_endian(at, number.scale);
  for (const int16_t digit : number.digits) at = wire::store_big_endian(at, digit);
}

}  // namespace ringpost::proto::pg
