// Invariant: what is taken lies in the value, in its places, is of lower-case hexadecimal digits
// and not all zero; written anew as the first version it is read as itself; and a value that
// differs in its last flag alone is taken alike.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "proto/http/trace_context.h"
#include "tests/support/guarded.h"

namespace ringpost {
namespace {

using proto::http::parse_traceparent;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_id(std::string_view id, size_t size) {
  require(id.size() == size && id.find_first_not_of('0') != std::string_view::npos);
  require(id.find_first_not_of("0123456789abcdef") == std::string_view::npos);
}

void check(std::string_view value) {
  const tests::Guarded input(value);
  const auto context = parse_traceparent(input.view());
  if (!context) return;
  check_id(context->trace_id, 32);
  check_id(context->parent_id, 16);
  require(context->trace_id.data() == input.view().data() + 3);
  require(context->parent_id.data() == input.view().data() + 36);
  std::string written("00-");
  written.append(context->trace_id).append("-").append(context->parent_id).append("-0");
  for (const bool sampled : {false, true}) {
    const tests::Guarded again(written + (sampled ? "1" : "0"));
    const auto second = parse_traceparent(again.view());
    require(second && second->sampled == sampled);
    require(second->trace_id == context->trace_id && second->parent_id == context->parent_id);
  }
}

}  // namespace
}  // namespace ringpost

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view value(reinterpret_cast<const char*>(data), size);
  ringpost::check(value);
  // Few inputs are well-formed: the same between well-formed parts.
  std::string around("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  std::copy_n(value.begin(), std::min(value.size(), around.size()) / 2, around.begin() + 20);
  ringpost::check(around);
  return 0;
}
