#include "proto/http/authority.h"

#include <algorithm>
#include <cstddef>

#include "proto/http/characters.h"

namespace ringpost::proto::http {

namespace {

// dec-octet: 0 to 255, without a leading zero, which some read as octal.
bool is_octet(std::string_view text) {
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text.front() == '0')) return false;
  int value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return false;
    value = value * 10 + (c - '0');
  }
  return value <= 255;
}

bool is_ipv4(std::string_view text) {
  for (int dots = 0; dots < 3; ++dots) {
    const size_t dot = text.find('.');
    if (dot == std::string_view::npos || !is_octet(text.substr(0, dot))) return false;
    text.remove_prefix(dot + 1);
  }
  return is_octet(text);
}

// Eight groups of up to four digits; "::", once, stands for one or more of them; an IPv4 address
// may stand for the last two.
bool is_ipv6(std::string_view text) {
  bool shortened = text.starts_with("::");
  if (shortened) text.remove_prefix(2);
  size_t groups = 0;
  while (!text.empty()) {
    const size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    const bool last = colon == std::string_view::npos;
    if (last && group.contains('.')) {
      if (!is_ipv4(group)) return false;
      groups += 2;
      break;
    }
    if (group.empty() || group.size() > 4 || !std::all_of(group.begin(), group.end(), is_hexdig))
      return false;
    ++groups;
    if (last) break;
    text.remove_prefix(colon + 1);
    if (text.empty()) return false;
    if (text.front() != ':') continue;
    if (shortened) return false;
    shortened = true;
    text.remove_prefix(1);
  }
  return shortened ? groups < 8 : groups == 8;
}

// Where a name ends; no further than `at` when it is none.
const char* name_end(const char* at, const char* end) {
  for (;; at += 3) {
    at = std::find_if_not(at, end, is_reg_name);
    if (at == end || *at != '%') return at;
    if (end - at < 3 || !is_hexdig(at[1]) || !is_hexdig(at[2])) return at;
  }
}

}  // namespace

bool is_authority(std::string_view text) {
  const char* const end = text.data() + text.size();
  const char* at = text.data();
  if (text.starts_with('[')) {  // no other IP-literal than IPv6 has ever been defined
    const size_t close = text.find(']');
    if (close == std::string_view::npos || !is_ipv6(text.substr(1, close - 1))) return false;
    at += close + 1;
  } else {
    at = name_end(at, end);
    if (at == text.data()) return false;
  }
  if (at == end) return true;
  return *at == ':' && std::all_of(at + 1, end, is_digit);
}

}  // namespace ringpost::proto::http
