#include "proto/http/chunked.h"

#include <algorithm>

#include "proto/http/characters.h"

namespace ringpost::proto::http {

namespace {
constexpr uint32_t most_extension_bytes = 1024, most_trailer_bytes = 8 * 1024;
constexpr uint64_t most_before_another_digit = UINT64_MAX >> 4;
}  // namespace

ChunkedDecoder::State ChunkedDecoder::fail(Status status, const char* reason) {
  error_ = status;
  reason_ = reason;
  return State::failed;
}

size_t ChunkedDecoder::skip(std::string_view input) {
  size_t at = 0;
  while (at < input.size() && !done() && !failed()) {
    if (state_ != State::data) {
      state_ = step(input[at++]);
      continue;
    }
    const auto taken = static_cast<size_t>(std::min<uint64_t>(chunk_, input.size() - at));
    at += taken;
    chunk_ -= taken;
    if (chunk_ == 0) state_ = State::data_cr;
  }
  return at;
}

ChunkedDecoder::State ChunkedDecoder::end_of_size(char c) {
  aside_ = 0;
  if (c == '\r') return State::size_lf;
  if (c == ';') return State::extension;
  if (c == ' ' || c == '\t') return State::blank;
  return fail(Status::bad_request, "a chunk's size is no hexadecimal number");
}

ChunkedDecoder::State ChunkedDecoder::step(char c) {
  switch (state_) {
    case State::size:
    case State::more_size: {
      const int digit = hex_value(c);
      if (digit < 0) {
        if (state_ == State::size)
          return fail(Status::bad_request, "a chunk's size is no hexadecimal number");
        return end_of_size(c);
      }
      if (chunk_ > most_before_another_digit)
        return fail(Status::bad_request, "a chunk's size is too large");
      chunk_ = chunk_ << 4 | static_cast<uint64_t>(digit);
      return State::more_size;
    }
    case State::blank:
      if (++aside_ > most_extension_bytes) break;
      if (c == ' ' || c == '\t') return State::blank;
      return c == ';' ? State::extension
                      : fail(Status::bad_request, "blanks behind a chunk's size");
    case State::extension:
      if (++aside_ > most_extension_bytes) break;
      if (c == '\r') return State::size_lf;
      return is(detail::field, c)
                 ? State::extension
                 : fail(Status::bad_request, "a chunk extension has a control character in it");
    case State::size_lf:
      if (c != '\n') return fail(Status::bad_request, "a chunk's size does not end in CRLF");
      aside_ = 0;
      if (chunk_ == 0) return State::trailer;
      if (chunk_ > left_)
        return fail(Status::content_too_large, "the body is larger than this server takes");
      left_ -= chunk_;
      return State::data;
    case State::data_cr:
      return c == '\r' ? State::data_lf
                       : fail(Status::bad_request, "a chunk is longer than its size");
    case State::data_lf:
      return c == '\n' ? State::size : fail(Status::bad_request, "a chunk does not end in CRLF");
    case State::trailer:
      if (c == '\r') return State::last_lf;
      [[fallthrough]];
    case State::trailer_name:
      if (++aside_ > most_trailer_bytes) break;
      if (is(detail::token, c)) return State::trailer_name;
      return c == ':' && state_ == State::trailer_name
                 ? State::trailer_value
                 : fail(Status::bad_request, "a trailer does not begin with a name and a colon");
    case State::trailer_value:
      if (++aside_ > most_trailer_bytes) break;
      if (c == '\r') return State::trailer_lf;
      return is(detail::field, c)
                 ? State::trailer_value
                 : fail(Status::bad_request, "a trailer has a control character in it");
    case State::trailer_lf:
      return c == '\n' ? State::trailer
                       : fail(Status::bad_request, "a trailer does not end in CRLF");
    case State::last_lf:
      return c == '\n' ? State::done : fail(Status::bad_request, "the body does not end in CRLF");
    case State::data:
    case State::done:
    case State::failed:
      return state_;
  }
  return fail(Status::request_header_fields_too_large,
              "there are more chunk extensions or trailers than this server takes");
}

}  // namespace ringpost::proto::http
