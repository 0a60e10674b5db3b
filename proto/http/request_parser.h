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
#include <cstring>
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

// What a head is scanned by (scanner.h). All give the same answers.
enum class Instructions : uint8_t { portable, sse2, avx2 };
// The fastest that this machine has.
Instructions best_instructions();

class RequestParser {
 public:
  // The one allocation: the table of headers, 16 bytes each.
  explicit RequestParser(const HeadLimits& limits = {},
                         Instructions instructions = best_instructions());

  // `input` begins with the head's first byte.
  wire::Parse parse(std::string_view input);

  // After `complete`.
  const Request& request() const { return request_; }
  // Bytes of the head, from the input's first byte through the empty line that ends it.
  size_t head_bytes() const { return progress_.at; }

  // After `invalid`: the answer's status (400, 414, 417, 431, 501, 505), and what was wrong.
  const Refusal& refusal() const { return *refusal_; }

  // Whether a byte of a request line was seen; empty lines before it are none.
  bool started() const { return progress_.state != State::start; }
  // Forgets everything, for the next head.
  void reset();

 private:
  // What stands at `at`. In the order of the input; the request line's come first.
  enum class State : uint8_t {
    start,    // empty lines, or the method
    method,   // the method, up to its SP
    target,   // the request-target, up to its SP
    version,  // HTTP-version CRLF
    name,     // a name, up to its colon, or the empty line
    value,    // up to its CRLF, white space around it included
    complete,
  };
  struct Progress {
    State state = State::start;
    size_t at = 0;      // bytes that were read
    size_t piece = 0;   // where what is being read begins: method, target, name, value
    size_t fields = 0;  // of table_, those that are read
  };
  // While progress is made, in registers.
  struct Cursor : Progress {
    const char* head;
    size_t end;
    const char& operator*() const { return head[at]; }
    const char& operator[](size_t distance) const { return head[at + distance]; }
    bool at_end() const { return at == end; }
    size_t left() const { return end - at; }
    bool begins_with(std::string_view text) const {
      return left() >= text.size() && std::memcmp(head + at, text.data(), text.size()) == 0;
    }
    bool at_crlf() const { return begins_with("\r\n"); }
    Span span() const { return {static_cast<uint32_t>(piece), static_cast<uint32_t>(at - piece)}; }
  };

  wire::Parse parse_by_sse2(std::string_view input);
  wire::Parse parse_by_avx2(std::string_view input);
  template <class Scanner>
  wire::Parse parse_by(std::string_view input);
  // Each takes what it can and leaves state at what comes next.
  template <class Scanner>
  const Refusal* read_request_line(Cursor& in);
  template <class Scanner>
  const Refusal* read_fields(Cursor& in);
  const Refusal* check_target(const char* head);
  const Refusal* finish(const Cursor& in);

  HeadLimits limits_;
  Instructions instructions_;
  Progress progress_;
  Span method_, target_, authority_;
  ControlFields controls_;
  std::vector<HeaderSpans> table_;

  Request request_;
  const Refusal* refusal_ = nullptr;
};

}  // namespace ringpost::proto::http
