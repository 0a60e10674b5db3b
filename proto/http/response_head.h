// The head of an answer, appended to a connection's outgoing bytes (RFC 9112, 4).
//
//     HTTP/1.1 200 OK\r\n
//     Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n
//     Content-Type: application/json\r\n
//     Content-Length: 15\r\n
//     Connection: close\r\n
//     Allow: GET, HEAD\r\n
//     \r\n
//
// Instead of a length there may be `Transfer-Encoding: chunked`, or nothing where the connection's
// end ends the body (RFC 9112, 6.3).
//
// Every text is the caller's own: none of it is escaped or checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/http/status.h"
#include "proto/wire/buffer.h"

namespace ringpost::proto::http {

struct ResponseHead {
  // What an HTTP/1.1 client takes for granted, "close" or, to an HTTP/1.0 client, "keep-alive".
  enum class Connection : uint8_t { unsaid, close, keep_alive };

  Status status = Status::ok;
  Connection connection = Connection::unsaid;
  std::string_view date{};          // 29 characters, see date.h; empty without a clock
  std::string_view content_type{};  // empty: none
  uint64_t content_length = 0;      // left out with 204 (RFC 9110, 8.6)
  std::string_view fields{};        // further lines, each with its CRLF
};

void append(wire::Buffer& out, const ResponseHead& head);

// The same with the length left open, for a body that is appended behind it. `content_length` is
// what is expected: as many digits as it has are left.
struct OpenLength {
  uint32_t at = 0, digits = 0;  // where in the buffer, from its first byte; how many
  uint32_t body_at = 0;         // where the body begins
};
OpenLength append_open(wire::Buffer& out, const ResponseHead& head);
// Fills it in; the body is all that follows the head. Nothing moves but where the length has
// another number of digits than was left. Returns where the body begins.
size_t fill_in(wire::Buffer& out, OpenLength length);

// A head without a length: `chunked`, or up to the connection's end.
void append_lengthless(wire::Buffer& out, const ResponseHead& head, bool chunked);

// A piece of a chunked body (RFC 9112, 7.1), not empty; and its end.
void append_chunk(wire::Buffer& out, std::string_view piece);
void append_last_chunk(wire::Buffer& out);

// The interim answer to `Expect: 100-continue`: a head of its own, without fields (RFC
// 9110, 15.2.1).
void append_continue(wire::Buffer& out);

}  // namespace ringpost::proto::http
