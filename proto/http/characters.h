// The character classes of RFC 9110 (5.6.2, 5.5) and RFC 3986 (2, 3), as tables.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace ringpost::proto::http {

namespace detail {

enum Class : uint8_t {
  token = 1,   // tchar: methods, field names
  field = 2,   // field-vchar, obs-text, SP, HTAB: field values
  target = 4,  // what RFC 3986 lets stand in a path, a query or an authority
  digit = 8,
  hex = 16,
  authority = 32,  // reg-name, IP-literal, port: what may stand in Host
};

constexpr std::array<uint8_t, 256> classify() {
  std::array<uint8_t, 256> table{};
  const auto mark = [&table](std::string_view characters, uint8_t what) {
    for (const char c : characters) table[static_cast<uint8_t>(c)] |= what;
  };
  constexpr std::string_view alpha = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
                             digits = "0123456789";
  mark(alpha, token | target | authority);
  mark(digits, token | target | digit | hex | authority);
  mark("abcdefABCDEF", hex);
  mark("!#$%&'*+-.^_`|~", token);
  mark("-._~!$&'()*+,;=%:[]", authority);
  mark("-._~!$&'()*+,;=%:@/?[]", target);
  // Not of RFC 3986, but sent unescaped by browsers and accepted everywhere; none of them has a
  // meaning here.
  mark("\"<>\\^`{|}", target);
  for (int c = 0x20; c < 256; ++c)
    if (c != 0x7f) table[static_cast<size_t>(c)] |= field;
  table['\t'] |= field;
  return table;
}

inline constexpr std::array<uint8_t, 256> classes = classify();

}  // namespace detail

constexpr bool is(detail::Class what, char c) {
  return (detail::classes[static_cast<uint8_t>(c)] & what) != 0;
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

constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char folded = lower(c);
  return folded >= 'a' && folded <= 'f' ? folded - 'a' + 10 : -1;
}

}  // namespace ringpost::proto::http
