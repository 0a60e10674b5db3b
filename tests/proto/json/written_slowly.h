// RFC 8259, 7, one character at a time: what the fast ways of escaping are compared with.
#pragma once

#include <string>
#include <string_view>

namespace ringpost::proto::json {

inline std::string escaped_slowly(std::string_view text) {
  std::string out;
  for (const char c : text) {
    constexpr char digits[] = "0123456789abcdef";
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20)
          (out += "\\u00") += {digits[c >> 4], digits[c & 15]};
        else
          out += c;
    }
  }
  return out;
}

inline std::string written_slowly(std::string_view text) {
  return '"' + escaped_slowly(text) + '"';
}

}  // namespace ringpost::proto::json
