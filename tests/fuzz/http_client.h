// What a client asks for, and what a strict one reads of its answers: the other side of a
// ServerConnection, made without it. What breaks a rule ends the process.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/http/chunked.h"
#include "proto/http/request_parser.h"

namespace ringpost::fuzz {

using namespace proto::http;
using proto::wire::Parse;

inline constexpr uint64_t body_bytes = 64;
inline constexpr HeadLimits limits{.head_bytes = 512, .target_bytes = 128, .headers = 8};

inline void require(bool holds) {
  if (!holds) std::abort();
}

// What is asked, and where that ends; or why it is no request. The last may not have come whole.
struct Asked {
  std::string text{};
  size_t end = 0;
  Status refused = Status::ok;
  bool head = false, http_1_0 = false, keep_alive = true, whole = true;
};

inline std::string text_of(const Request& request) {
  std::string text = std::string(request.method) + " " + std::string(request.target);
  for (const Header header : request.headers)
    text.append("\n").append(header.name).append(":").append(header.value);
  return text;
}

inline std::string_view without_empty_lines(std::string_view bytes) {
  while (bytes.starts_with("\r\n")) bytes.remove_prefix(2);
  return bytes;
}
inline bool begins(std::string_view bytes) {
  bytes = without_empty_lines(bytes);
  return !bytes.empty() && bytes != "\r";
}
inline bool begins_with_head(std::string_view bytes) {
  return without_empty_lines(bytes).starts_with("HEAD ");
}

// All that the client asks, read without the machine: up to what is refused, and the last.
inline std::vector<Asked> read(std::string_view sent) {
  std::vector<Asked> all;
  const auto refuse = [&all](const Refusal& refusal) { all.back().refused = refusal.status; };
  for (size_t at = 0;;) {
    RequestParser parser(limits);
    const Parse parse = parser.parse(sent.substr(at));
    if (parse == Parse::partial) return all;
    all.push_back({.head = begins_with_head(sent.substr(at))});
    if (parse == Parse::invalid) return refuse(parser.refusal()), all;
    const Request& request = parser.request();
    Asked& asked = all.back();
    asked.text = text_of(request);
    asked.http_1_0 = request.minor_version == 0;
    asked.keep_alive = request.keep_alive;
    at += parser.head_bytes();
    if (request.framing == Framing::length) {
      if (request.content_length > body_bytes)
        return asked.refused = Status::content_too_large, all;
      asked.whole = sent.size() - at >= request.content_length;
      at += request.content_length;
    } else if (request.framing == Framing::chunked) {
      ChunkedDecoder decoder(body_bytes);
      at += decoder.skip(sent.substr(at));
      if (decoder.failed()) return refuse(decoder.refusal()), all;
      asked.whole = decoder.done();
    }
    asked.end = at;
    if (!asked.keep_alive || !asked.whole) return all;
  }
}

// One answer, as a strict client reads it.
struct Response {
  unsigned status = 0;
  std::string_view connection, content;
};

// The rest of a line, up to its CRLF.
inline std::string_view take_line(std::string_view& text) {
  const size_t end = text.find("\r\n");
  require(end != std::string_view::npos);
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 2);
  return line;
}

inline Response take_response(std::string_view& text, bool head) {
  Response response;
  const std::string_view status = take_line(text);
  require(status.size() > 13 && status.starts_with("HTTP/1.1 ") && status[12] == ' ');
  for (const char digit : status.substr(9, 3)) {
    require(digit >= '0' && digit <= '9');
    response.status = response.status * 10 + static_cast<unsigned>(digit - '0');
  }
  std::optional<size_t> length;
  for (std::string_view line = take_line(text); !line.empty(); line = take_line(text)) {
    const size_t colon = line.find(": ");
    require(response.status != 100 && colon != std::string_view::npos);
    const std::string_view name = line.substr(0, colon), value = line.substr(colon + 2);
    if (name == "Content-Length") {
      require(!length && !value.empty() && value.size() < 5);
      length = std::stoul(std::string(value));
    } else if (name == "Connection") {
      require(response.connection.empty());
      response.connection = value;
    } else {
      require(name == "X-Number");
    }
  }
  if (response.status == 100) return response;
  require(length.has_value());
  if (head) return response;
  require(*length <= text.size());
  response.content = text.substr(0, *length);
  text.remove_prefix(*length);
  return response;
}

}  // namespace ringpost::fuzz
