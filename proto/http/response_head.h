// The head of an answer, appended to a connection's outgoing bytes (RFC 9112, 4).
//
//     HTTP/1.1 200 OK\r\nDate: ...\r\nContent-Type: ...\r\nContent-Length: ...\r\n\r\n
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/http/status.h"
#include "proto/wire/buffer.h"

namespace ringpost::proto::http {

struct ResponseHead {
  enum class Connection : uint8_t { unsaid, close, keep_alive };

  Status status = Status::ok;
  Connection connection = Connection::unsaid;
  std::string_view date;          // 29 characters, see date.h
  std::string_view content_type;  // empty: none
  size_t content_length = 0;      // left out with 204 (RFC 9110, 8.6)
  std::string_view fields;        // further lines, each with its CRLF
};

void append(wire::Buffer& out, const ResponseHead& head);

// The interim answer to `Expect: 100-continue` (RFC 9110, 15.2.1).
void append_continue(wire::Buffer& out);

}  // namespace ringpost::proto::http
