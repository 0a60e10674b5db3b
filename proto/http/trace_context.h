// traceparent (W3C Trace Context, Recommendation of 23 November 2021, 3.2): by which trace a
// request came. Views of the field's value, which live as long as it.
#pragma once

#include <optional>
#include <string_view>

namespace ringpost::proto::http {

struct TraceContext {
  std::string_view trace_id;   // 32 hexadecimal digits in lower case, not all zero
  std::string_view parent_id;  // 16
  bool sampled = false;        // the caller may have recorded it
};

// Nothing when the value is none: then it is as if there were no field. Of versions to come what
// the first one has is read (3.2.4).
std::optional<TraceContext> parse_traceparent(std::string_view value);

}  // namespace ringpost::proto::http
