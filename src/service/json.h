// Text as a JSON string, for what is written once, at the start.
#pragma once

#include <string>
#include <string_view>

#include "proto/json/writer.h"

namespace ringpost::service {

inline std::string json_string(std::string_view text) {
  proto::wire::Buffer out;
  proto::json::Writer(out).string(text).commit();
  return std::string(out.view());
}

}  // namespace ringpost::service
