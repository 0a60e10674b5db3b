// RequestParser: the head of an HTTP/1.x request, as strictly as a server must read it (RFC 9112, 2
// to 6; RFC 9110, 5).
//
//     *(CRLF)  method SP request-target SP HTTP-version CRLF  *(name ":" OWS value OWS CRLF)  CRLF
//
// The caller keeps the bytes. After `partial` it calls again with the same bytes and more behind
// them, wherever they lie then: the parser has noted offsets alone and goes on at the byte where it
// stopped. It copies nothing: the Request's views point into the input of the call that completed
// it. Its answer does not depend on how the input was cut. A parser that has not started() has no
// state worth keeping: one of them can serve every connection that has no head half-read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "proto/http/control_fields.h"
#include "proto/http/request.h"
#include "proto/http/status.h"
#include "proto/wire/parse.h"

namespace ringpost::proto::http {

struct HeadLimits {
  uint32_t head_bytes = 16 * 1024;   // all of it, empty lines before it too; else 431
  uint32_t target_bytes = 8 * 1024;  // else 414
  uint32_t headers = 100;            // else 431
};

class RequestParser {
 public:
  // The one allocation: the table of headers, 16 bytes each.
  explicit RequestParser(const HeadLimits& limits = {});

  // `input` begins with the head's first byte.
  wire::Parse parse(std::string_view input);

  // After `complete`.
  const Request& request() const { return request_; }
  // Bytes of the head, from the input's first byte through the empty line that ends it.
  size_t head_bytes() const { return at_; }

  // After `invalid`: the answer's status (400, 414, 417, 431, 501, 505), and what was wrong.
  const Refusal& refusal() const { return *refusal_; }

  // Whether a byte of a request line was seen; empty lines before it are none.
  bool started() const { return state_ != State::start; }
  // Forgets everything, for the next head.
  void reset();

 private:
  // What stands at at_. In the order of the input; the request line's come first.
  enum class State : uint8_t {
    start,        // empty lines, or the method
    method,       // the method, up to its SP
    target,       // the request-target, up to its SP
    version,      // HTTP-version CRLF
    line_start,   // a name's first character, or the CR of the empty line
    name,         // up to its colon
    value_start,  // white space before a value
    value,        // up to its CR, white space behind it included
    line_end,     // LF of a field line
    head_end,     // LF of the empty line
    complete,
  };
  struct Cursor {
    const char *begin, *at, *end;
    bool at_end() const { return at == end; }
    size_t left() const { return static_cast<size_t>(end - at); }
    uint32_t offset() const { return static_cast<uint32_t>(at - begin); }
  };

  // Each takes what it can and leaves state_ at what comes next.
  const Refusal* read_request_line(Cursor& in);
  const Refusal* read_fields(Cursor& in);
  const Refusal* read_version(Cursor& in);
  const Refusal* check_target(const char* head);
  const Refusal* finish(const char* head);

  HeadLimits limits_;
  uint32_t at_ = 0;
  uint32_t count_ = 0;  // of table_, what is in use
  State state_ = State::start;
  Span method_, target_, authority_;
  ControlFields controls_;
  std::vector<HeaderSpans> table_;

  Request request_;
  const Refusal* refusal_ = nullptr;
};

}  // namespace ringpost::proto::http
