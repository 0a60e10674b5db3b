#include "proto/http/target.h"

#include <algorithm>

#include "proto/http/characters.h"

namespace ringpost::proto::http {

namespace {

bool is_escape(std::string_view text) {
  return text.size() >= 3 && text[0] == '%' && is_hexdig(text[1]) && is_hexdig(text[2]);
}

}  // namespace

Target split_target(std::string_view target) {
  if (!target.starts_with('/')) {
    if (const size_t scheme = target.find("://"); scheme != std::string_view::npos)
      target.remove_prefix(std::min(target.find_first_of("/?", scheme + 3), target.size()));
  }
  const size_t mark = std::min(target.find('?'), target.size());
  Target parts{target.substr(0, mark), target.substr(std::min(mark + 1, target.size()))};
  if (parts.path.empty()) parts.path = "/";
  return parts;
}

bool well_escaped(std::string_view text) {
  for (size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 3))
    if (!is_escape(text.substr(at))) return false;
  return true;
}

std::string_view percent_decode(std::string_view text, wire::Buffer& space) {
  size_t percent = text.find('%');
  if (percent == std::string_view::npos) return text;
  space.clear();
  while (percent != std::string_view::npos) {
    space.append(text.substr(0, percent));
    text.remove_prefix(percent);
    const bool escape = is_escape(text);
    space.append(escape ? static_cast<char>(hex_value(text[1]) << 4 | hex_value(text[2])) : '%');
    text.remove_prefix(escape ? 3 : 1);
    percent = text.find('%');
  }
  space.append(text);
  return space.view();
}

Pair take_pair(std::string_view& query) {
  const std::string_view pair = query.substr(0, query.find('&'));
  query.remove_prefix(std::min(pair.size() + 1, query.size()));
  const size_t equals = std::min(pair.find('='), pair.size());
  return {pair.substr(0, equals), pair.substr(std::min(equals + 1, pair.size()))};
}

Parameter find_parameter(std::string_view query, std::string_view name, wire::Buffer& space) {
  Parameter parameter;
  while (!query.empty()) {
    const Pair pair = take_pair(query);
    if (percent_decode(pair.name, space) != name) continue;
    if (parameter.found != Parameter::Found::no) return {Parameter::Found::repeatedly, {}};
    parameter = {Parameter::Found::once, pair.value};
  }
  return parameter;
}

std::optional<uint64_t> parse_decimal(std::string_view text, uint64_t most) {
  if (text.empty()) return std::nullopt;
  uint64_t value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
    const auto digit = static_cast<uint64_t>(c - '0');
    if (value > most / 10 || (value == most / 10 && digit > most % 10)) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

}  // namespace ringpost::proto::http
