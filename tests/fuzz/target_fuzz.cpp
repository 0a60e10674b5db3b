// Invariant: path, query and pairs are pieces of the target that lie within it, in their order;
// what is escaped anew byte by byte is decoded to itself; a parameter is found as often as its name
// stands in the query; and a number is taken when, and only when, it reads so digit by digit.
#include <cstdlib>
#include <string>

#include "proto/http/target.h"
#include "tests/support/guarded.h"

namespace ringpost {
namespace {

using namespace proto::http;

void require(bool holds) {
  if (!holds) std::abort();
}

bool within(std::string_view piece, std::string_view whole) {
  return piece.empty() || (piece.data() >= whole.data() &&
                           piece.data() + piece.size() <= whole.data() + whole.size());
}

std::string escaped(std::string_view text) {
  constexpr char digits[] = "0123456789aBcDeF";
  std::string all;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    all.append("%").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
  }
  return all;
}

void check_decoding(std::string_view text) {
  proto::wire::Buffer space;
  const std::string decoded(percent_decode(text, space));
  require(decoded.size() <= text.size());
  require(text.find('%') != std::string_view::npos || decoded == text);
  if (well_escaped(text)) {
    size_t escapes = 0;
    for (const char c : text) escapes += c == '%';
    require(decoded.size() == text.size() - 2 * escapes);
  }
  const std::string all = escaped(text);
  require(well_escaped(all) && percent_decode(all, space) == text);
}

void check_parameters(std::string_view query) {
  proto::wire::Buffer space, names;
  for (std::string_view rest = query; !rest.empty();) {
    const std::string_view before = rest;
    const Pair pair = take_pair(rest);
    require(rest.size() < before.size() && within(pair.name, before) && within(pair.value, before));
    require(pair.name.find_first_of("=&") == std::string_view::npos);
    require(pair.value.find('&') == std::string_view::npos);

    const std::string name(percent_decode(pair.name, names));
    size_t count = 0;
    for (std::string_view all = query; !all.empty();)
      count += percent_decode(take_pair(all).name, names) == name;
    const Parameter parameter = find_parameter(query, name, space);
    require(parameter.found ==
            (count == 1 ? Parameter::Found::once : Parameter::Found::repeatedly));
    if (count == 1) require(parameter.value == pair.value);
  }
}

void check_decimal(std::string_view text) {
  constexpr uint64_t limits[] = {0, 9, 200, INT64_MAX, UINT64_MAX};
  for (const uint64_t limit : limits) {
    // 128 bits, cut off where it can be said to be too large.
    unsigned __int128 value = 0;
    bool digits = !text.empty();
    for (const char c : text) {
      digits &= c >= '0' && c <= '9';
      if (value <= UINT64_MAX) value = value * 10 + static_cast<unsigned>(c - '0') % 10;
    }
    const auto parsed = parse_decimal(text, limit);
    require(parsed.has_value() == (digits && value <= limit));
    if (parsed) require(*parsed == static_cast<uint64_t>(value));
  }
}

}  // namespace
}  // namespace ringpost

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringpost;
  const tests::Guarded bytes({reinterpret_cast<const char*>(data), size});
  const std::string_view target = bytes.view();
  const Target parts = split_target(target);
  require(parts.path == "/" || within(parts.path, target));
  require(!parts.path.empty() && within(parts.query, target));
  require(parts.path.find('?') == std::string_view::npos);
  check_decoding(target);
  check_parameters(parts.query.substr(0, 512));
  check_decimal(target);
  check_decimal(parts.query);
  return 0;
}
