// Answers that every service gives alike, in JSON.
#pragma once

#include <string>
#include <string_view>

#include "src/http/reply.h"

namespace ringpost::service {

inline constexpr std::string_view json_type = "application/json";
// Bytes of an answer that has no more to say than these.
inline constexpr size_t small_answer = 128;

// `body` is JSON. `fields`: further header lines, each ending in CRLF.
inline void send(http::Reply& reply, proto::http::Status status, std::string_view body,
                 std::string_view fields = {}) {
  reply.send(status, json_type, body, fields);
}
inline void send_ok(http::Reply& reply) {
  send(reply, proto::http::Status::ok, R"({"status":"ok"})");
}
inline void send_bad_request(http::Reply& reply, std::string_view body) {
  send(reply, proto::http::Status::bad_request, body);
}
inline void send_not_found(http::Reply& reply) {
  send(reply, proto::http::Status::not_found, R"({"error":"not_found"})");
}
inline void send_internal(http::Reply& reply) {
  send(reply, proto::http::Status::internal_server_error, R"({"error":"internal"})");
}
inline void send_unavailable(http::Reply& reply) {
  send(reply, proto::http::Status::service_unavailable, R"({"error":"unavailable"})",
       "Retry-After: 1\r\n");
}

// To `location`: an URI, or a path. 500 where it has a character that no URI has: it would be a
// header of its own.
inline void send_redirect(http::Reply& reply, proto::http::Status status,
                          std::string_view location) {
  for (const char c : location)
    if (c <= ' ' || c > '~') return send_internal(reply);
  reply.send(status, "", "", "Location: " + std::string(location) + "\r\n");
}

}  // namespace ringpost::service
