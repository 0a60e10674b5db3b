#include "proto/http/trace_context.h"

#include <algorithm>

namespace ringpost::proto::http {

namespace {

bool is_lower_hexadecimal(std::string_view digits) {
  return std::all_of(digits.begin(), digits.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_id(std::string_view digits) {
  return is_lower_hexadecimal(digits) && digits.find_first_not_of('0') != std::string_view::npos;
}

}  // namespace

std::optional<TraceContext> parse_traceparent(std::string_view value) {
  // version "-" trace-id "-" parent-id "-" trace-flags
  constexpr size_t size = 55;
  if (value.size() < size || value[2] != '-' || value[35] != '-' || value[52] != '-')
    return std::nullopt;
  const std::string_view version = value.substr(0, 2), flags = value.substr(53, 2);
  if (!is_lower_hexadecimal(version) || version == "ff" || !is_lower_hexadecimal(flags))
    return std::nullopt;
  if (value.size() > size && (version == "00" || value[size] != '-')) return std::nullopt;
  const TraceContext context{.trace_id = value.substr(3, 32),
                             .parent_id = value.substr(36, 16),
                             .sampled = std::string_view("13579bdf").contains(flags[1])};
  if (!is_id(context.trace_id) || !is_id(context.parent_id)) return std::nullopt;
  return context;
}

}  // namespace ringpost::proto::http
