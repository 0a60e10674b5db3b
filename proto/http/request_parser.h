// RequestParser: the head of an HTTP/1.x request, as strictly as a server must read it (RFC 9112, 2
// to 6; RFC 9110, 5).
//
//     start ──empty lines──▶ request line ──▶ field lines ──empty line──▶ complete
//
// The caller keeps the bytes. After `partial` it calls again with the same bytes and more behind
// them, wherever they lie then; the parser has noted offsets, and goes on with the line that was
// cut off. It copies nothing: the Request's views point into the input of the call that completed
// it. A parser that has seen no byte of a head has no state worth keeping.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "proto/http/request.h"
#include "proto/http/status.h"
#include "proto/wire/parse.h"

namespace ringpost::proto::http {

struct HeadLimits {
  uint32_t head_bytes = 16 * 1024;   // else 431
  uint32_t target_bytes = 8 * 1024;  // else 414
  uint32_t headers = 100;            // else 431
};

class RequestParser {
 public:
  explicit RequestParser(const HeadLimits& limits = {});

  wire::Parse parse(std::string_view input);

  // After `complete`.
  const Request& request() const { return request_; }
  // Bytes of the head, from the input's first byte through the empty line that ends it.
  size_t head_bytes() const { return at_; }

  // After `invalid`: the answer's status, and what was wrong.
  Status error() const { return error_; }
  std::string_view reason() const { return reason_; }

  // Forgets everything, for the next head.
  void reset();

 private:
  using Parse = wire::Parse;
  enum class Expected : uint8_t { request_line, field_line };
  struct Span {
    uint32_t begin = 0, size = 0;
    std::string_view in(std::string_view input) const { return input.substr(begin, size); }
  };
  struct Field {
    Span name, value;
  };

  Parse request_line(std::string_view input);
  Parse field_line(std::string_view input);
  Parse field(std::string_view name, std::string_view value);
  Parse host_field(std::string_view value);
  Parse content_length_field(std::string_view value);
  Parse transfer_encoding_field(std::string_view value);
  Parse finish(std::string_view input);
  Parse check_target(std::string_view method, std::string_view target);
  Parse fail(Status status, const char* reason);
  Parse bad(const char* reason) { return fail(Status::bad_request, reason); }

  HeadLimits limits_;
  uint32_t at_ = 0;  // where the line to parse next begins
  Expected expected_ = Expected::request_line;
  Span method_, target_, authority_;
  std::vector<Field> fields_;
  std::vector<Header> headers_;
  uint8_t hosts_ = 0;
  bool has_content_length_ = false, has_transfer_encoding_ = false, chunked_ = false,
       coded_ = false;
  bool close_ = false, keep_alive_ = false, expects_ = false, expects_other_ = false;

  Request request_;
  Status error_ = Status::bad_request;
  const char* reason_ = "";
};

}  // namespace ringpost::proto::http
