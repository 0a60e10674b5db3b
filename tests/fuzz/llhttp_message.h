// One HTTP/1.x request message, as ringpost's parser and decoder read it, and as llhttp does: the
// same facts of both, copied, so that they can be compared. llhttp reads strictly, as Node.js has
// it by default.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <llhttp.h>

#include "proto/http/chunked.h"
#include "proto/http/request_parser.h"

namespace ringpost::fuzz {

struct Message {
  enum class Is : uint8_t { partial, refused, taken };
  Is is = Is::partial;
  std::string method, target, body;
  std::vector<std::pair<std::string, std::string>> fields;  // without white space around the values
  uint8_t major = 1, minor = 1;
  bool keep_alive = false;
  bool chunked = false;
  size_t end = 0;                 // behind the body
  std::string_view reason;        // of a refusal, by ringpost
  llhttp_errno_t error = HPE_OK;  // of a refusal, by llhttp
};

inline std::string_view trimmed(std::string_view value) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!value.empty() && blank(value.front())) value.remove_prefix(1);
  while (!value.empty() && blank(value.back())) value.remove_suffix(1);
  return value;
}

// Limits that no input of the fuzzer reaches: llhttp has none.
inline Message read_by_ringpost(std::string_view input) {
  using namespace proto::http;
  static RequestParser parser({.head_bytes = 1 << 20, .target_bytes = 1 << 20, .headers = 8192});
  Message message;
  const auto refuse = [&message](const Refusal& refusal) {
    message.is = Message::Is::refused;
    message.reason = refusal.reason;
    return message;
  };
  parser.reset();
  switch (parser.parse(input)) {
    case proto::wire::Parse::partial:
      return message;
    case proto::wire::Parse::invalid:
      return refuse(parser.refusal());
    case proto::wire::Parse::complete:
      break;
  }
  const Request& request = parser.request();
  message.method = request.method;
  message.target = request.target;
  for (const Header header : request.headers)
    message.fields.emplace_back(header.name, header.value);
  message.minor = request.minor_version;
  message.keep_alive = request.keep_alive;
  message.chunked = request.framing == Framing::chunked;
  message.end = parser.head_bytes();
  if (request.framing == Framing::length) {
    if (input.size() - message.end < request.content_length) return message;
    message.body = input.substr(message.end, request.content_length);
    message.end += request.content_length;
  } else if (message.chunked) {
    ChunkedDecoder decoder(UINT64_MAX);
    while (message.end < input.size() && !decoder.done() && !decoder.failed()) {
      const ChunkedDecoder::Piece piece = decoder.feed(input.substr(message.end));
      message.body += piece.content;
      message.end += piece.consumed;
    }
    if (decoder.failed()) return refuse(decoder.refusal());
    if (!decoder.done()) return message;
  }
  message.is = Message::Is::taken;
  return message;
}

// What llhttp calls back with; its trailers are dropped, as ringpost drops them.
struct LlhttpReader {
  Message message;
  std::string name, value;
  bool in_body = false, complete = false;

  static LlhttpReader& of(llhttp_t* parser) { return *static_cast<LlhttpReader*>(parser->data); }

  static llhttp_settings_t settings() {
    llhttp_settings_t on;
    llhttp_settings_init(&on);
    on.on_method = [](llhttp_t* p, const char* at, size_t size) {
      of(p).message.method.append(at, size);
      return 0;
    };
    on.on_url = [](llhttp_t* p, const char* at, size_t size) {
      of(p).message.target.append(at, size);
      return 0;
    };
    on.on_header_field = [](llhttp_t* p, const char* at, size_t size) {
      of(p).name.append(at, size);
      return 0;
    };
    on.on_header_value = [](llhttp_t* p, const char* at, size_t size) {
      of(p).value.append(at, size);
      return 0;
    };
    on.on_header_value_complete = [](llhttp_t* p) { return of(p).end_field(); };
    on.on_headers_complete = [](llhttp_t* p) { return of(p).end_head(*p); };
    on.on_body = [](llhttp_t* p, const char* at, size_t size) {
      of(p).message.body.append(at, size);
      return 0;
    };
    on.on_message_complete = [](llhttp_t* p) {
      of(p).complete = true;
      return static_cast<int>(HPE_PAUSED);
    };
    return on;
  }

  int end_field() {
    if (!in_body) message.fields.emplace_back(std::move(name), trimmed(value));
    name.clear();
    value.clear();
    return 0;
  }
  int end_head(const llhttp_t& parser) {
    in_body = true;
    message.major = parser.http_major;
    message.minor = parser.http_minor;
    message.chunked = (parser.flags & F_CHUNKED) != 0;
    message.keep_alive = llhttp_should_keep_alive(&parser) != 0;
    return 0;
  }
};

inline Message read_by_llhttp(std::string_view input) {
  static const llhttp_settings_t settings = LlhttpReader::settings();
  LlhttpReader reader;
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &settings);
  parser.data = &reader;
  const llhttp_errno_t error = llhttp_execute(&parser, input.data(), input.size());
  Message& message = reader.message;
  if (reader.complete) {
    message.is = Message::Is::taken;
    message.end = static_cast<size_t>(llhttp_get_error_pos(&parser) - input.data());
  } else if (error != HPE_OK) {
    message.is = Message::Is::refused;
    message.error = error;
  }
  return std::move(message);
}

}  // namespace ringpost::fuzz
