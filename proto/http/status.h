// Status codes of RFC 9110 (15) that a server of this library sends, and their reason phrases.
//
// A Refusal is one reason not to take a message: the status that answers it, and what was wrong
// with it, in words. Refusals are constants, passed by pointer: nullptr is no objection.
#pragma once

#include <cstdint>
#include <string_view>

namespace ringpost::proto::http {

enum class Status : uint16_t {
  continue_ = 100,
  ok = 200,
  no_content = 204,
  bad_request = 400,
  not_found = 404,
  method_not_allowed = 405,
  request_timeout = 408,
  content_too_large = 413,
  uri_too_long = 414,
  expectation_failed = 417,
  request_header_fields_too_large = 431,
  internal_server_error = 500,
  not_implemented = 501,
  service_unavailable = 503,
  http_version_not_supported = 505,
};

struct Refusal {
  Status status;
  std::string_view reason;
};

constexpr std::string_view reason_phrase(Status status) {
  switch (status) {
    case Status::continue_:
      return "Continue";
    case Status::ok:
      return "OK";
    case Status::no_content:
      return "No Content";
    case Status::bad_request:
      return "Bad Request";
    case Status::not_found:
      return "Not Found";
    case Status::method_not_allowed:
      return "Method Not Allowed";
    case Status::request_timeout:
      return "Request Timeout";
    case Status::content_too_large:
      return "Content Too Large";
    case Status::uri_too_long:
      return "URI Too Long";
    case Status::expectation_failed:
      return "Expectation Failed";
    case Status::request_header_fields_too_large:
      return "Request Header Fields Too Large";
    case Status::internal_server_error:
      return "Internal Server Error";
    case Status::not_implemented:
      return "Not Implemented";
    case Status::service_unavailable:
      return "Service Unavailable";
    case Status::http_version_not_supported:
      return "HTTP Version Not Supported";
  }
  return "";
}

}  // namespace ringpost::proto::http
