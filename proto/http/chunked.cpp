#include "proto/http/chunked.h"

#include <algorithm>

#include "proto/http/characters.h"

namespace ringpost::proto::http {

namespace {

constexpr uint8_t most_digits = 16;  // leading zeros too: they are no reason to read on forever
constexpr uint32_t most_extension_bytes = 16 * 1024, most_trailer_bytes = 8 * 1024;

constexpr Refusal size_malformed{Status::bad_request, "a chunk's size is no hexadecimal number"};
constexpr Refusal size_too_long{Status::bad_request, "a chunk's size has too many digits"};
constexpr Refusal size_then_blank{Status::bad_request, "there is a blank behind a chunk's size"};
constexpr Refusal size_unended{Status::bad_request, "a chunk's size does not end in CRLF"};
constexpr Refusal extension_nameless{Status::bad_request, "a chunk extension has no name"};
constexpr Refusal extension_name_malformed{Status::bad_request,
                                           "a chunk extension's name is malformed"};
constexpr Refusal extension_value_malformed{
    Status::bad_request, "a chunk extension's value is neither a token nor a quoted string"};
constexpr Refusal extension_unended{Status::bad_request,
                                    "there is a blank or more behind a chunk extension"};
constexpr Refusal chunk_unended{Status::bad_request,
                                "a chunk is longer than its size or does not end in CRLF"};
constexpr Refusal trailer_malformed{Status::bad_request,
                                    "a trailer does not begin with a name and a colon"};
constexpr Refusal trailer_value_malformed{Status::bad_request, "a trailer has a control character"};
constexpr Refusal trailer_unended{Status::bad_request, "a trailer does not end in CRLF"};
constexpr Refusal body_unended{Status::bad_request, "the body does not end in CRLF"};
constexpr Refusal too_large{Status::content_too_large, "the body is larger than this server takes"};
constexpr Refusal too_much_extension{Status::request_header_fields_too_large,
                                     "there are more chunk extensions than this server takes"};
constexpr Refusal too_many_trailers{Status::request_header_fields_too_large,
                                    "there are more trailers than this server takes"};

}  // namespace

ChunkedDecoder::State ChunkedDecoder::fail(const Refusal& refusal) {
  refusal_ = &refusal;
  return State::failed;
}

ChunkedDecoder::Piece ChunkedDecoder::feed(std::string_view input) {
  size_t at = 0;
  while (at < input.size() && !done() && !failed()) {
    if (state_ != State::data) {
      state_ = step(input[at++]);
      continue;
    }
    const auto taken = static_cast<size_t>(std::min<uint64_t>(chunk_, input.size() - at));
    chunk_ -= taken;
    if (chunk_ == 0) state_ = State::data_cr;
    return {at + taken, input.substr(at, taken)};
  }
  return {at, {}};
}

size_t ChunkedDecoder::skip(std::string_view input) {
  size_t at = 0;
  while (at < input.size() && !done() && !failed()) at += feed(input.substr(at)).consumed;
  return at;
}

ChunkedDecoder::State ChunkedDecoder::step(char c) {
  switch (state_) {
    case State::size:
      return size(c);
    case State::blank:
    case State::extension:
    case State::extension_name:
    case State::extension_name_blank:
    case State::extension_equals:
    case State::extension_token:
    case State::extension_quoted:
    case State::extension_escaped:
    case State::extension_end:
    case State::extension_blank:
      return extension(c);
    case State::size_lf:
      return size_lf(c);
    case State::data_cr:
      return c == '\r' ? State::data_lf : fail(chunk_unended);
    case State::data_lf:
      return c == '\n' ? State::size : fail(chunk_unended);
    case State::trailer:
      if (c == '\r') return State::last_lf;
      if (++trailer_bytes_ > most_trailer_bytes) return fail(too_many_trailers);
      return is_tchar(c) ? State::trailer_name : fail(trailer_malformed);
    case State::trailer_name:
      if (++trailer_bytes_ > most_trailer_bytes) return fail(too_many_trailers);
      if (c == ':') return State::trailer_value;
      return is_tchar(c) ? State::trailer_name : fail(trailer_malformed);
    case State::trailer_value:
      if (c == '\r') return State::trailer_lf;
      if (++trailer_bytes_ > most_trailer_bytes) return fail(too_many_trailers);
      return is_field_content(c) ? State::trailer_value : fail(trailer_value_malformed);
    case State::trailer_lf:
      return c == '\n' ? State::trailer : fail(trailer_unended);
    case State::last_lf:
      return c == '\n' ? State::done : fail(body_unended);
    case State::data:
    case State::done:
    case State::failed:
      break;
  }
  return state_;
}

// 1*HEXDIG, and the white space that may stand before an extension, but not before CRLF (RFC
// 9112, 7.1.1).
ChunkedDecoder::State ChunkedDecoder::size(char c) {
  if (const int digit = hex_value(c); digit >= 0) {
    if (++digits_ > most_digits) return fail(size_too_long);
    chunk_ = chunk_ << 4 | static_cast<uint64_t>(digit);
    return State::size;
  }
  if (digits_ == 0) return fail(size_malformed);
  if (c == '\r') return State::size_lf;
  if (c != ';' && c != ' ' && c != '\t') return fail(size_malformed);
  if (++extension_bytes_ > most_extension_bytes) return fail(too_much_extension);
  return c == ';' ? State::extension : State::blank;
}

// *( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] ): what is skipped unread here and
// read there is what requests are smuggled in, so what the grammar does not have is refused (RFC
// 9112, 7.1.1; RFC 9110, 5.6.4).
ChunkedDecoder::State ChunkedDecoder::extension(char c) {
  if (c != '\r' && ++extension_bytes_ > most_extension_bytes) return fail(too_much_extension);
  const bool is_blank = c == ' ' || c == '\t';
  switch (state_) {
    case State::blank:
      if (is_blank) return State::blank;
      return c == ';' ? State::extension : fail(size_then_blank);
    case State::extension:
      if (is_blank) return State::extension;
      return is_tchar(c) ? State::extension_name : fail(extension_nameless);
    case State::extension_name:
      if (is_tchar(c)) return State::extension_name;
      if (is_blank) return State::extension_name_blank;
      if (c == '=') return State::extension_equals;
      return extension_end(c, extension_name_malformed);
    case State::extension_name_blank:
      if (is_blank) return State::extension_name_blank;
      if (c == '=') return State::extension_equals;
      return c == ';' ? State::extension : fail(extension_unended);
    case State::extension_equals:
      if (is_blank) return State::extension_equals;
      if (c == '"') return State::extension_quoted;
      return is_tchar(c) ? State::extension_token : fail(extension_value_malformed);
    case State::extension_token:
      if (is_tchar(c)) return State::extension_token;
      return is_blank ? State::extension_blank : extension_end(c, extension_value_malformed);
    case State::extension_quoted:
      if (c == '"') return State::extension_end;
      if (c == '\\') return State::extension_escaped;
      return is_field_content(c) ? State::extension_quoted : fail(extension_value_malformed);
    case State::extension_escaped:
      return is_field_content(c) ? State::extension_quoted : fail(extension_value_malformed);
    case State::extension_end:
      return is_blank ? State::extension_blank : extension_end(c, extension_unended);
    default:  // extension_blank
      if (is_blank) return State::extension_blank;
      return c == ';' ? State::extension : fail(extension_unended);
  }
}

// The next extension, or the line's end.
ChunkedDecoder::State ChunkedDecoder::extension_end(char c, const Refusal& otherwise) {
  if (c == '\r') return State::size_lf;
  return c == ';' ? State::extension : fail(otherwise);
}

ChunkedDecoder::State ChunkedDecoder::size_lf(char c) {
  if (c != '\n') return fail(size_unended);
  digits_ = 0;
  if (chunk_ == 0) return State::trailer;
  if (chunk_ > left_) return fail(too_large);
  left_ -= chunk_;
  return State::data;
}

}  // namespace ringpost::proto::http
