// A parsed request head. All views point into the bytes that were parsed: they live as long as
// those.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "proto/http/characters.h"

namespace ringpost::proto::http {

struct Header {
  std::string_view name;   // as it came: names are case-insensitive
  std::string_view value;  // without the white space around it
};

// How the length of the body is known (RFC 9112, 6.3).
enum class Framing : uint8_t { none, length, chunked };

struct Request {
  std::string_view method;
  std::string_view target;  // origin-form, absolute-form, authority-form or "*" (RFC 9112, 3.2)
  std::string_view host;    // the authority that is asked for: Host, or the target's own
  std::span<const Header> headers;
  uint64_t content_length = 0;
  Framing framing = Framing::none;
  uint8_t minor_version = 1;     // 0 or 1
  bool keep_alive = true;        // the connection may go on after the answer
  bool expect_continue = false;  // the client waits for 100 before it sends the body

  // The value of the first field of this name (given in lower case); nullptr when there is none.
  const std::string_view* find(std::string_view lower_case_name) const {
    for (const Header& header : headers)
      if (equals_ignoring_case(header.name, lower_case_name)) return &header.value;
    return nullptr;
  }
};

}  // namespace ringpost::proto::http
