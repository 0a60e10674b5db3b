// ChunkedDecoder: finds the end of a chunked body, whatever the pieces it comes in (RFC 9112, 7.1).
//
//     size [;extension] CRLF data CRLF ... 0 [;extension] CRLF *(trailer CRLF) CRLF
//
// The content is counted and dropped; extensions and trailers are checked and dropped. Limits:
// `body_bytes` of content (413), 1 KiB of extensions a chunk, 8 KiB of trailers (431).
#pragma once

#include <cstdint>
#include <string_view>

#include "proto/http/status.h"

namespace ringpost::proto::http {

class ChunkedDecoder {
 public:
  explicit ChunkedDecoder(uint64_t body_bytes) : left_(body_bytes) {}

  // Takes what belongs to the body from the front of `input`; returns how many bytes that was. All
  // of it, unless done() or failed().
  size_t skip(std::string_view input);

  bool done() const { return state_ == State::done; }
  bool failed() const { return state_ == State::failed; }
  Status error() const { return error_; }
  const char* reason() const { return reason_; }

 private:
  enum class State : uint8_t {
    size,       // the first digit of a chunk's size
    more_size,  // further digits, or what ends them
    blank,      // white space before an extension
    extension,  // up to the line's end
    size_lf,    // LF of the size's line
    data,       // content
    data_cr,    // CRLF behind it
    data_lf,
    trailer,  // the first character of a trailer, or of the last line
    trailer_name,
    trailer_value,
    trailer_lf,
    last_lf,  // LF of the last line
    done,
    failed,
  };

  State step(char c);
  State end_of_size(char c);
  State fail(Status status, const char* reason);

  State state_ = State::size;
  uint64_t left_;       // content that may still come
  uint64_t chunk_ = 0;  // of this chunk
  uint32_t aside_ = 0;  // bytes of extensions of this chunk, or of trailers
  Status error_ = Status::bad_request;
  const char* reason_ = "";
};

}  // namespace ringpost::proto::http
