#include "proto/http/request_parser.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "proto/http/scan.h"

namespace ringpost::proto::http {

using wire::Parse;

namespace {

// Empty lines before a request line are ignored (RFC 9112, 2.2); a flood of them is no request.
constexpr size_t most_leading_bytes = 8;

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Calls `each` with the elements of a comma-separated list, without the empty ones (RFC
// 9110, 5.6.1.2).
template <class Each>
void for_each_element(std::string_view list, Each each) {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    if (const std::string_view element = trim(list.substr(0, comma)); !element.empty())
      each(element);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

// host [ ":" port ] (RFC 9110, 7.2; RFC 3986, 3.2.2). `host` may be empty: it then is where the
// port begins.
bool is_authority(std::string_view text) {
  size_t host_ends;
  if (text.starts_with('[')) {
    host_ends = text.find(']');
    if (host_ends == std::string_view::npos || host_ends < 3) return false;
    for (const char c : text.substr(1, host_ends - 1))
      if (!is(detail::hex, c) && c != ':' && c != '.') return false;
    ++host_ends;
  } else {
    host_ends = std::min(text.find(':'), text.size());
    for (const char c : text.substr(0, host_ends))
      if (!is(detail::authority, c) || c == '[' || c == ']') return false;
  }
  const std::string_view port = text.substr(host_ends);
  return port.empty() || (port[0] == ':' && std::all_of(port.begin() + 1, port.end(), [](char c) {
                            return is(detail::digit, c);
                          }));
}

}  // namespace

RequestParser::RequestParser(const HeadLimits& limits) : limits_(limits) {
  fields_.reserve(16);
  headers_.reserve(16);
}

void RequestParser::reset() {
  at_ = 0;
  expected_ = Expected::request_line;
  fields_.clear();
  hosts_ = 0;
  has_content_length_ = has_transfer_encoding_ = chunked_ = coded_ = false;
  close_ = keep_alive_ = expects_ = expects_other_ = false;
  authority_ = {};
  request_ = {};
}

Parse RequestParser::fail(Status status, const char* reason) {
  error_ = status;
  reason_ = reason;
  return Parse::invalid;
}

Parse RequestParser::parse(std::string_view input) {
  for (;;) {
    Parse line = expected_ == Expected::request_line ? request_line(input) : field_line(input);
    // What is there of an unfinished line counts too.
    const size_t seen = line == Parse::partial ? input.size() : at_;
    if (line != Parse::invalid && seen > limits_.head_bytes)
      return fail(Status::request_header_fields_too_large,
                  "the head is larger than this server takes");
    if (line != Parse::complete) return line;
    if (expected_ == Expected::request_line) {
      expected_ = Expected::field_line;
    } else if (input.substr(at_ - 2, 2) == "\r\n" && input[at_ - 3] == '\n') {
      return finish(input);
    }
  }
}

// method SP request-target SP HTTP-version CRLF (RFC 9112, 3)
Parse RequestParser::request_line(std::string_view input) {
  const char *at = input.data() + at_, *const end = input.data() + input.size();
  while (at != end && (*at == '\r' || *at == '\n')) {
    if (*at == '\n' || at + 1 == end || at[1] != '\n') {
      if (*at == '\r' && at + 1 == end) return Parse::partial;
      return bad("a line ends in CRLF, not in CR or LF alone");
    }
    at += 2;
    at_ += 2;
    if (at_ > most_leading_bytes) return bad("too many empty lines before the request line");
  }
  const auto span = [&](const char* from, const char* to) {
    return Span{static_cast<uint32_t>(from - input.data()), static_cast<uint32_t>(to - from)};
  };

  const char* from = at;
  at = detail::scan_token(at, end);
  if (at == end) return Parse::partial;
  if (at == from || *at != ' ')
    return bad("the request line does not begin with a method and one blank");
  method_ = span(from, at);

  from = ++at;
  at = detail::scan_target(at, end);
  if (static_cast<size_t>(at - from) > limits_.target_bytes)
    return fail(Status::uri_too_long, "the request-target is longer than this server takes");
  if (at == end) return Parse::partial;
  if (at == from || *at != ' ')
    return bad(
        "the request-target is empty, has a character that must be escaped, or no version behind "
        "it");
  target_ = span(from, at);

  constexpr std::string_view version = "HTTP/1.1\r\n";
  from = ++at;
  const std::string_view rest(from, std::min(static_cast<size_t>(end - from), version.size()));
  if (rest != version) {
    for (size_t i = 0; i < rest.size(); ++i) {
      const bool fits = i == 5 || i == 7 ? is(detail::digit, rest[i]) : rest[i] == version[i];
      if (!fits) return bad("the request line does not end in an HTTP version and CRLF");
    }
    if (rest.size() > 5 && rest[5] != '1')
      return fail(Status::http_version_not_supported, "this server speaks HTTP/1.1 and HTTP/1.0");
    if (rest.size() < version.size()) return Parse::partial;
  }
  request_.minor_version = rest[7] == '0' ? 0 : 1;
  at_ = static_cast<uint32_t>(from + version.size() - input.data());
  return check_target(method_.in(input), target_.in(input));
}

// The four forms of a request-target (RFC 9112, 3.2)
Parse RequestParser::check_target(std::string_view method, std::string_view target) {
  if (method == "CONNECT") {
    if (!is_authority(target) || target.find(':') == std::string_view::npos)
      return bad("CONNECT takes a host and a port as its target");
    authority_ = target_;
    return Parse::complete;
  }
  if (target[0] == '/') return Parse::complete;
  if (target == "*")
    return method == "OPTIONS" ? Parse::complete : bad("* is a target for OPTIONS alone");
  const size_t scheme = target.find("://");
  if (scheme == std::string_view::npos ||
      !(equals_ignoring_case(target.substr(0, scheme), "http") ||
        equals_ignoring_case(target.substr(0, scheme), "https")))
    return bad("the request-target is neither a path nor an http URI");
  const size_t begin = scheme + 3, end = std::min(target.find_first_of("/?", begin), target.size());
  if (begin == end || !is_authority(target.substr(begin, end - begin)))
    return bad("the request-target's authority is malformed");
  authority_ = {target_.begin + static_cast<uint32_t>(begin), static_cast<uint32_t>(end - begin)};
  return Parse::complete;
}

// field-name ":" OWS field-value OWS CRLF, or the empty line (RFC 9112, 5)
Parse RequestParser::field_line(std::string_view input) {
  const char *const line = input.data() + at_, *const end = input.data() + input.size();
  if (line == end) return Parse::partial;
  if (*line == '\r') {
    if (line + 1 == end) return Parse::partial;
    if (line[1] != '\n') return bad("a line ends in CRLF, not in CR alone");
    at_ += 2;
    return Parse::complete;
  }
  const char* const colon = detail::scan_token(line, end);
  if (colon == end) return Parse::partial;
  if (colon == line || *colon != ':')
    return bad("a field line does not begin with a name and a colon");
  const char* value = colon + 1;
  const char* value_end = detail::scan_field(value, end);
  if (end - value_end < 2)
    return value_end == end || *value_end == '\r'
               ? Parse::partial
               : bad("a field value has a control character in it");
  if (value_end[0] != '\r' || value_end[1] != '\n')
    return bad(*value_end == '\r' || *value_end == '\n'
                   ? "a line ends in CRLF, not in CR or LF alone"
                   : "a field value has a control character in it");
  at_ = static_cast<uint32_t>(value_end + 2 - input.data());
  if (fields_.size() == limits_.headers)
    return fail(Status::request_header_fields_too_large,
                "there are more fields than this server takes");
  while (value != value_end && (*value == ' ' || *value == '\t')) ++value;
  while (value != value_end && (value_end[-1] == ' ' || value_end[-1] == '\t')) --value_end;
  fields_.push_back(
      {{static_cast<uint32_t>(line - input.data()), static_cast<uint32_t>(colon - line)},
       {static_cast<uint32_t>(value - input.data()), static_cast<uint32_t>(value_end - value)}});
  return field({line, static_cast<size_t>(colon - line)},
               {value, static_cast<size_t>(value_end - value)});
}

// The fields that decide where the message ends and what becomes of the connection.
Parse RequestParser::field(std::string_view name, std::string_view value) {
  switch (name.size()) {
    case 4:
      if (equals_ignoring_case(name, "host")) return host_field(value);
      break;
    case 6:
      if (equals_ignoring_case(name, "expect"))
        (equals_ignoring_case(value, "100-continue") ? expects_ : expects_other_) = true;
      break;
    case 10:
      if (equals_ignoring_case(name, "connection"))
        for_each_element(value, [this](std::string_view option) {
          if (equals_ignoring_case(option, "close")) close_ = true;
          if (equals_ignoring_case(option, "keep-alive")) keep_alive_ = true;
        });
      break;
    case 14:
      if (equals_ignoring_case(name, "content-length")) return content_length_field(value);
      break;
    case 17:
      if (equals_ignoring_case(name, "transfer-encoding")) return transfer_encoding_field(value);
      break;
    default:
      break;
  }
  return Parse::complete;
}

Parse RequestParser::host_field(std::string_view value) {
  if (++hosts_ > 1) return bad("there is more than one Host");
  if (!is_authority(value)) return bad("Host is malformed");
  if (authority_.size == 0) authority_ = fields_.back().value;
  return Parse::complete;
}

// One number (RFC 9110, 8.6). A list of equal ones could be taken for one; nobody who means well
// sends it.
Parse RequestParser::content_length_field(std::string_view value) {
  uint64_t length = 0;
  if (value.empty()) return bad("Content-Length is no number");
  for (const char c : value) {
    if (!is(detail::digit, c)) return bad("Content-Length is no number");
    const auto digit = static_cast<uint64_t>(c - '0');
    if (length > (std::numeric_limits<uint64_t>::max() - digit) / 10)
      return bad("Content-Length is too large");
    length = length * 10 + digit;
  }
  if (has_content_length_) return bad("there is more than one Content-Length");
  has_content_length_ = true;
  request_.content_length = length;
  return Parse::complete;
}

Parse RequestParser::transfer_encoding_field(std::string_view value) {
  has_transfer_encoding_ = true;
  bool twice = false, misplaced = false;
  for_each_element(value, [&](std::string_view coding) {
    if (equals_ignoring_case(coding, "chunked")) {
      twice |= chunked_;
      chunked_ = true;
    } else {
      misplaced |= chunked_;
      coded_ = true;
    }
  });
  if (twice) return bad("chunked is applied twice");
  if (misplaced) return bad("chunked is not the last transfer coding");
  return Parse::complete;
}

Parse RequestParser::finish(std::string_view input) {
  const bool old = request_.minor_version == 0;
  if (hosts_ == 0 && !old) return bad("Host is missing");
  if (has_transfer_encoding_) {  // RFC 9112, 6.1 and 6.3
    if (has_content_length_) return bad("Content-Length and Transfer-Encoding exclude each other");
    if (old) return bad("HTTP/1.0 has no Transfer-Encoding");
    if (!chunked_) return bad("chunked is not the last transfer coding");
    if (coded_)
      return fail(Status::not_implemented, "chunked is the only transfer coding this server knows");
    request_.framing = Framing::chunked;
  } else if (has_content_length_ && request_.content_length != 0) {
    request_.framing = Framing::length;
  }
  if (!old) {
    if (expects_other_)
      return fail(Status::expectation_failed,
                  "100-continue is the only expectation this server knows");
    request_.expect_continue = expects_;
  }
  request_.keep_alive = !close_ && (!old || keep_alive_);
  request_.method = method_.in(input);
  request_.target = target_.in(input);
  request_.host = authority_.in(input);
  headers_.resize(fields_.size());
  for (size_t i = 0; i < fields_.size(); ++i)
    headers_[i] = {fields_[i].name.in(input), fields_[i].value.in(input)};
  request_.headers = headers_;
  return Parse::complete;
}

}  // namespace ringpost::proto::http
