#include "proto/http/response_head.h"

#include <charconv>
#include <cstring>

namespace ringpost::proto::http {

namespace {

template <size_t N>
char* put(char* at, const char (&literal)[N]) {
  std::memcpy(at, literal, N - 1);
  return at + N - 1;
}
char* put(char* at, std::string_view text) {
  if (text.empty()) return at;
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

char* put_status_line(char* at, Status status) {
  if (status == Status::ok) return put(at, "HTTP/1.1 200 OK\r\nDate: ");
  const auto code = static_cast<unsigned>(status);
  at = put(at, "HTTP/1.1 ");
  for (const unsigned place : {100U, 10U, 1U}) *at++ = static_cast<char>('0' + code / place % 10);
  *at++ = ' ';
  at = put(at, reason_phrase(status));
  return put(at, "\r\nDate: ");
}

}  // namespace

void append(wire::Buffer& out, const ResponseHead& head) {
  // All that is constant, and the 20 digits of the longest length.
  constexpr size_t fixed = 256;
  char* const begin = out.prepare(fixed + head.content_type.size() + head.fields.size());
  char* at = put_status_line(begin, head.status);
  at = put(at, head.date);
  if (!head.content_type.empty()) {
    at = put(at, "\r\nContent-Type: ");
    at = put(at, head.content_type);
  }
  if (head.status != Status::no_content) {
    at = put(at, "\r\nContent-Length: ");
    at = std::to_chars(at, at + 20, head.content_length).ptr;
  }
  if (head.connection == ResponseHead::Connection::close)
    at = put(at, "\r\nConnection: close");
  else if (head.connection == ResponseHead::Connection::keep_alive)
    at = put(at, "\r\nConnection: keep-alive");
  at = put(at, "\r\n");
  at = put(at, head.fields);
  at = put(at, "\r\n");
  out.commit(static_cast<size_t>(at - begin));
}

void append_continue(wire::Buffer& out) {
  out.append("HTTP/1.1 100 Continue\r\n\r\n");
}

}  // namespace ringpost::proto::http
