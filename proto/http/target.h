// A request-target taken apart: path, query, parameters; percent-decoding (RFC 3986, 2.1 and 3).
//
//     /users?limit=10&offset=%32%30
//
// All views point into the target or into the buffer that decoding was given, and live until that
// is used again. Nothing is copied when nothing is escaped. Dot segments are not resolved, `;`
// separates nothing, `+` is itself. A server asks well_escaped() of all the target first; the rest
// is safe with any text.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "proto/wire/buffer.h"

namespace ringpost::proto::http {

struct Target {
  std::string_view path;   // from its slash; "/" where absolute-form leaves it out; still escaped
  std::string_view query;  // behind the question mark; still escaped
};

// Of a target that the request parser has accepted. "*" is a path that begins with no slash.
Target split_target(std::string_view target);

// Whether every % has its two hexadecimal digits.
bool well_escaped(std::string_view text);

// `text` decoded: itself when nothing is escaped, else in `space`, which is cleared for it. What
// looks like an escape and is none stays as it is.
std::string_view percent_decode(std::string_view text, wire::Buffer& space);

struct Pair {
  std::string_view name, value;  // still escaped; the value is empty when there is no "="
};

// Takes the first pair off a query: `name=value` pairs, joined by "&".
Pair take_pair(std::string_view& query);

struct Parameter {
  enum class Found : uint8_t { no, once, repeatedly };
  Found found = Found::no;
  std::string_view value;  // of the one, still escaped
};

// The parameter whose name is this when it is decoded.
Parameter find_parameter(std::string_view query, std::string_view name, wire::Buffer& space);

// A decimal number, digits alone, at most `most`.
std::optional<uint64_t> parse_decimal(std::string_view text, uint64_t most);

}  // namespace ringpost::proto::http
