// ChunkedDecoder: takes a chunked body apart, whatever the pieces it comes in (RFC 9112, 7.1).
//
//     size *(;name[=value]) CRLF data CRLF ... 0 *(;name[=value]) CRLF *(trailer CRLF) CRLF
//
// It owns nothing: content is handed on as views of the input. Extensions and trailers are checked
// and dropped. Limits: `body_bytes` of content (413); 16 KiB of extensions in all the body, so that
// tiny chunks can't carry any amount of them, and 8 KiB of trailers (431).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/http/status.h"

namespace ringpost::proto::http {

class ChunkedDecoder {
 public:
  explicit ChunkedDecoder(uint64_t body_bytes) : left_(body_bytes) {}

  struct Piece {
    size_t consumed = 0;       // bytes of the input that are dealt with
    std::string_view content;  // the last of them, when they are content
  };
  // Takes the front of `input`: up to the end of the first run of content, or of the input, or of
  // the body. Again with what is left, until nothing is, or done(), or failed().
  Piece feed(std::string_view input);

  // The same without handing on the content: takes all of `input` that belongs to the body, and
  // returns how many bytes that was.
  size_t skip(std::string_view input);

  bool done() const { return state_ == State::done; }
  // When it failed: the answer's status (400, 413, 431), and what was wrong.
  bool failed() const { return state_ == State::failed; }
  const Refusal& refusal() const { return *refusal_; }

 private:
  // What comes next.
  enum class State : uint8_t {
    size,                  // a digit of a chunk's size, or what ends it
    blank,                 // white space behind the size, before a semicolon
    extension,             // white space behind a semicolon, or a name's first character
    extension_name,        // the rest of the name, or what ends it
    extension_name_blank,  // white space behind a name, before "=" or a semicolon
    extension_equals,      // white space behind "=", or a value's first character
    extension_token,       // the rest of a value without quotes, or what ends it
    extension_quoted,      // the rest of a value in quotes, up to the closing one
    extension_escaped,     // the character behind a backslash
    extension_end,         // what stands behind the closing quote
    extension_blank,       // white space behind a value, before a semicolon
    size_lf,               // LF of the size's line
    data,                  // content
    data_cr,               // CR behind it
    data_lf,               // LF behind that
    trailer,               // the first character of a trailer's name, or CR of the last line
    trailer_name,          // up to its colon
    trailer_value,         // up to the line's end
    trailer_lf,            // LF of a trailer
    last_lf,               // LF of the last line
    done,
    failed,
  };

  State step(char c);
  State size(char c);
  State extension(char c);
  State extension_end(char c, const Refusal& otherwise);
  State size_lf(char c);
  State fail(const Refusal& refusal);

  State state_ = State::size;
  uint8_t digits_ = 0;            // of this chunk's size
  uint32_t extension_bytes_ = 0;  // of the body
  uint32_t trailer_bytes_ = 0;
  uint64_t left_;       // content that may still come
  uint64_t chunk_ = 0;  // content of this chunk that is still to come
  const Refusal* refusal_ = nullptr;
};

}  // namespace ringpost::proto::http
