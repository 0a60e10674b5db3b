// The character classes of RFC 9110 (5.5, 5.6.2) and RFC 3986 (2, 3) as one table: a byte of bits
// for each character.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ringpost::proto::http {

namespace detail {

enum Class : uint8_t {
  tchar = 1,          // methods, field names, transfer codings
  field_content = 2,  // field-vchar, obs-text, SP, HTAB: field values
  uri = 4,            // what may stand in a request-target
  decimal = 8,
  hexdig = 16,
  reg_name = 32,  // a host's name (RFC 3986, 3.2.2), but for "%"
};

constexpr std::array<uint8_t, 256> classify() {
  std::array<uint8_t, 256> table{};
  const auto mark = [&table](std::string_view characters, uint8_t what) {
    for (const char c : characters) table[static_cast<uint8_t>(c)] |= what;
  };
  mark("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", tchar | uri | reg_name);
  mark("0123456789", tchar | uri | decimal | hexdig | reg_name);
  mark("abcdefABCDEF", hexdig);
  mark("!#$%&'*+-.^_`|~", tchar);
  mark("-._~!$&'()*+,;=", uri | reg_name);
  mark("%:@/?[]", uri);
  // Not of RFC 3986, but browsers send them unescaped in queries, servers take them, and none of
  // them has a meaning here.
  mark("\"<>\\^`{|}", uri);
  for (size_t c = 0x20; c < 256; ++c)
    if (c != 0x7f) table[c] |= field_content;
  table['\t'] |= field_content;
  return table;
}

inline constexpr std::array<uint8_t, 256> classes = classify();

constexpr bool is(Class what, char c) {
  return (classes[static_cast<uint8_t>(c)] & what) != 0;
}

}  // namespace detail

constexpr bool is_tchar(char c) {
  return detail::is(detail::tchar, c);
}
constexpr bool is_field_content(char c) {
  return detail::is(detail::field_content, c);
}
constexpr bool is_uri(char c) {
  return detail::is(detail::uri, c);
}
constexpr bool is_digit(char c) {
  return detail::is(detail::decimal, c);
}
constexpr bool is_hexdig(char c) {
  return detail::is(detail::hexdig, c);
}
constexpr bool is_reg_name(char c) {
  return detail::is(detail::reg_name, c);
}

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

constexpr bool equals_ignoring_case(std::string_view text, std::string_view lower_case) {
  if (text.size() != lower_case.size()) return false;
  for (size_t i = 0; i < text.size(); ++i)
    if (lower(text[i]) != lower_case[i]) return false;
  return true;
}

// -1 when `c` is no hexadecimal digit.
constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char folded = lower(c);
  return folded >= 'a' && folded <= 'f' ? folded - 'a' + 10 : -1;
}

}  // namespace ringpost::proto::http
