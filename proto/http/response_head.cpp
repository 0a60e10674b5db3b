#include "proto/http/response_head.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cstring>
#include <iterator>

#include "proto/http/date.h"

namespace ringpost::proto::http {

namespace {

// Status lines are composed when this file is compiled, each in a block of one size, so that
// writing one is a copy without a loop.
struct StatusLine {
  Status status = Status::ok;
  uint32_t size = 0;
  std::array<char, 56> text{};
};

constexpr StatusLine compose(Status status) {
  StatusLine line{.status = status};
  const auto put = [&line](std::string_view text) {
    for (const char c : text) line.text[line.size++] = c;
  };
  const auto code = static_cast<unsigned>(status);
  const char digits[] = {static_cast<char>('0' + code / 100),
                         static_cast<char>('0' + code / 10 % 10),
                         static_cast<char>('0' + code % 10)};
  put("HTTP/1.1 ");
  put({digits, 3});
  put(" ");
  put(reason_phrase(status));
  put("\r\n");
  return line;
}

// The commonest first.
constexpr StatusLine status_lines[] = {
    compose(Status::ok),
    compose(Status::not_found),
    compose(Status::bad_request),
    compose(Status::service_unavailable),
    compose(Status::no_content),
    compose(Status::method_not_allowed),
    compose(Status::request_timeout),
    compose(Status::content_too_large),
    compose(Status::uri_too_long),
    compose(Status::expectation_failed),
    compose(Status::request_header_fields_too_large),
    compose(Status::internal_server_error),
    compose(Status::not_implemented),
    compose(Status::http_version_not_supported),
    compose(Status::created),
    compose(Status::accepted),
    compose(Status::moved_permanently),
    compose(Status::found),
    compose(Status::see_other),
    compose(Status::temporary_redirect),
    compose(Status::permanent_redirect),
    compose(Status::unauthorized),
    compose(Status::forbidden),
    compose(Status::not_acceptable),
    compose(Status::conflict),
    compose(Status::gone),
    compose(Status::precondition_failed),
    compose(Status::unsupported_media_type),
    compose(Status::unprocessable_content),
    compose(Status::too_many_requests),
    compose(Status::continue_),
};

const StatusLine& status_line(Status status) {
  const auto* found = std::ranges::find(status_lines, status, &StatusLine::status);
  assert(found != std::end(status_lines));
  return *found;
}

uint32_t count_of_digits(uint64_t number) {
  uint32_t count = 1;
  for (; number >= 10; number /= 10) ++count;
  return count;
}

template <size_t N>
char* put(char* at, const char (&literal)[N]) {
  std::memcpy(at, literal, N - 1);
  return at + N - 1;
}
char* put(char* at, std::string_view text) {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

char* write_decimal(char* at, uint64_t number, uint32_t digits) {
  for (char* place = at + digits; place != at; number /= 10)
    *--place = static_cast<char>('0' + number % 10);
  return at + digits;
}

}  // namespace

namespace {

enum class Framing : uint8_t { length, chunked, close };

template <Framing framing>
OpenLength append_as(wire::Buffer& out, const ResponseHead& head) {
  // All that is constant, and the 20 digits of the longest length.
  constexpr size_t fixed = 256;
  char* const begin = out.prepare(fixed + head.content_type.size() + head.fields.size());
  OpenLength length;
  const StatusLine& line = status_line(head.status);
  std::memcpy(begin, line.text.data(), line.text.size());
  char* at = begin + line.size;
  if (!head.date.empty()) {
    assert(head.date.size() == date_length);
    at = put(at, "Date: ");
    std::memcpy(at, head.date.data(), date_length);
    at = put(at + date_length, "\r\n");
  }
  if (!head.content_type.empty()) {
    at = put(at, "Content-Type: ");
    at = put(at, head.content_type);
    at = put(at, "\r\n");
  }
  if constexpr (framing == Framing::chunked) {
    at = put(at, "Transfer-Encoding: chunked\r\n");
  } else if (framing == Framing::length && head.status != Status::no_content &&
             head.status != Status::continue_) {
    at = put(at, "Content-Length: ");
    length.at = static_cast<uint32_t>(at - out.data());
    length.digits = count_of_digits(head.content_length);
    at = put(at + length.digits, "\r\n");
  }
  if (head.connection == ResponseHead::Connection::close)
    at = put(at, "Connection: close\r\n");
  else if (head.connection == ResponseHead::Connection::keep_alive)
    at = put(at, "Connection: keep-alive\r\n");
  if (!head.fields.empty()) at = put(at, head.fields);
  at = put(at, "\r\n");
  out.commit(static_cast<size_t>(at - begin));
  length.body_at = static_cast<uint32_t>(out.size());
  return length;
}

}  // namespace

OpenLength append_open(wire::Buffer& out, const ResponseHead& head) {
  return append_as<Framing::length>(out, head);
}

void append_lengthless(wire::Buffer& out, const ResponseHead& head, bool chunked) {
  if (chunked)
    append_as<Framing::chunked>(out, head);
  else
    append_as<Framing::close>(out, head);
}

void append_chunk(wire::Buffer& out, std::string_view piece) {
  assert(!piece.empty() && "an empty chunk ends the body");
  constexpr size_t around = 16 + 4;  // the digits of the largest size, and CRLF twice
  char* const begin = out.prepare(piece.size() + around);
  char* at = std::to_chars(begin, begin + 16, piece.size(), 16).ptr;
  at = put(put(put(at, "\r\n"), piece), "\r\n");
  out.commit(static_cast<size_t>(at - begin));
}

void append_last_chunk(wire::Buffer& out) {
  out.append("0\r\n\r\n");
}

void append(wire::Buffer& out, const ResponseHead& head) {
  const OpenLength length = append_open(out, head);
  write_decimal(out.data() + length.at, head.content_length, length.digits);
}

size_t fill_in(wire::Buffer& out, OpenLength length) {
  const size_t bytes = out.size() - length.body_at;
  const uint32_t digits = count_of_digits(bytes);
  if (digits != length.digits) [[unlikely]] {
    if (digits > length.digits) out.prepare(digits - length.digits);
    char* const at = out.data() + length.at;
    std::memmove(at + digits, at + length.digits, out.size() - length.at - length.digits);
    out.truncate(out.size() + digits - length.digits);
  }
  write_decimal(out.data() + length.at, bytes, digits);
  return size_t{length.body_at} + digits - length.digits;
}

void append_continue(wire::Buffer& out) {
  out.append("HTTP/1.1 100 Continue\r\n\r\n");
}

}  // namespace ringpost::proto::http
