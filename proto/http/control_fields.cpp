#include "proto/http/control_fields.h"

#include <algorithm>

namespace ringpost::proto::http {

namespace {

constexpr Refusal host_missing{Status::bad_request, "Host is missing"};
constexpr Refusal host_repeated{Status::bad_request, "there is more than one Host"};
constexpr Refusal host_empty{Status::bad_request, "Host is empty"};
constexpr Refusal host_malformed{Status::bad_request, "Host is malformed"};
constexpr Refusal length_malformed{Status::bad_request, "Content-Length is no number"};
constexpr Refusal length_overflows{Status::bad_request, "Content-Length is too large"};
constexpr Refusal length_repeated{Status::bad_request, "there is more than one Content-Length"};
constexpr Refusal coding_malformed{Status::bad_request, "Transfer-Encoding is malformed"};
constexpr Refusal coding_in_1_0{Status::bad_request, "HTTP/1.0 has no Transfer-Encoding"};
constexpr Refusal chunked_twice{Status::bad_request, "chunked is applied twice"};
constexpr Refusal chunked_not_last{Status::bad_request, "chunked is not the last transfer coding"};
constexpr Refusal two_framings{Status::bad_request,
                               "Content-Length and Transfer-Encoding exclude each other"};
constexpr Refusal coding_unknown{Status::not_implemented,
                                 "chunked is the only transfer coding this server knows"};
constexpr Refusal expectation_unknown{Status::expectation_failed,
                                      "100-continue is the only expectation this server knows"};

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Takes the first element off a comma-separated list. It may be empty (RFC 9110, 5.6.1.2).
std::string_view take_element(std::string_view& list) {
  const size_t comma = std::min(list.find(','), list.size());
  const std::string_view element = trim(list.substr(0, comma));
  list.remove_prefix(std::min(comma + 1, list.size()));
  return element;
}

}  // namespace

bool is_authority(std::string_view text) {
  const char *at = text.data(), *const end = at + text.size();
  if (text.starts_with('[')) {  // an IPv6 address; no other IP-literal has ever been defined
    const char* const address = ++at;
    while (at != end && (is_hexdig(*at) || *at == ':' || *at == '.')) ++at;
    if (at == end || *at != ']' || at - address < 2) return false;
    ++at;
  } else {
    for (;; at += 3) {
      while (at != end && is_reg_name(*at)) ++at;
      if (at == end || *at != '%') break;
      if (end - at < 3 || !is_hexdig(at[1]) || !is_hexdig(at[2])) return false;
    }
    if (at == text.data()) return false;
  }
  if (at == end) return true;
  return *at == ':' && std::all_of(at + 1, end, is_digit);
}

const Refusal* ControlFields::take_control(std::string_view name, std::string_view value) {
  switch (lower(name.front())) {
    case 'h':
      if (equals_ignoring_case(name, "host")) return host(value);
      break;
    case 'e':
      if (equals_ignoring_case(name, "expect")) expect(value);
      break;
    case 'c':
      if (equals_ignoring_case(name, "connection"))
        connection(value);
      else if (equals_ignoring_case(name, "content-length"))
        return content_length(value);
      break;
    case 't':
      if (equals_ignoring_case(name, "transfer-encoding")) return transfer_encoding(value);
      break;
    default:
      break;
  }
  return nullptr;
}

// Empty is for URIs without an authority (RFC 9110, 7.2). What is asked of this server is an http
// URI, whose host is not empty (4.2.1).
const Refusal* ControlFields::host(std::string_view value) {
  if (has_host_) return &host_repeated;
  has_host_ = true;
  if (value.empty()) return &host_empty;
  return is_authority(value) ? nullptr : &host_malformed;
}

// One number (RFC 9110, 8.6). A list of equal ones, or a field repeated, may be taken for one (RFC
// 9112, 6.3) or refused; nobody who means well sends it.
const Refusal* ControlFields::content_length(std::string_view value) {
  if (has_content_length_) return &length_repeated;
  has_content_length_ = true;
  if (value.empty()) return &length_malformed;
  for (const char c : value) {
    if (!is_digit(c)) return &length_malformed;
    const auto digit = static_cast<uint64_t>(c - '0');
    if (content_length_ > (UINT64_MAX - digit) / 10) return &length_overflows;
    content_length_ = content_length_ * 10 + digit;
  }
  return nullptr;
}

// Codings in the order in which they were applied (RFC 9112, 6.1). An empty element could be
// ignored, but not everybody does, and what two servers read differently can be smuggled.
const Refusal* ControlFields::transfer_encoding(std::string_view value) {
  has_transfer_encoding_ = true;
  do {
    const std::string_view coding = take_element(value);
    if (coding.empty() || !std::all_of(coding.begin(), coding.end(), is_tchar))
      return &coding_malformed;
    if (!equals_ignoring_case(coding, "chunked")) {
      if (chunked_) return &chunked_not_last;
      other_coding_ = true;
    } else if (chunked_) {
      return &chunked_twice;
    } else {
      chunked_ = true;
    }
  } while (!value.empty());
  return nullptr;
}

void ControlFields::connection(std::string_view value) {
  while (!value.empty()) {
    const std::string_view option = take_element(value);
    close_ |= equals_ignoring_case(option, "close");
    keep_alive_ |= equals_ignoring_case(option, "keep-alive");
  }
}

void ControlFields::expect(std::string_view value) {
  while (!value.empty()) {
    const std::string_view expectation = take_element(value);
    if (equals_ignoring_case(expectation, "100-continue"))
      expects_continue_ = true;
    else if (!expectation.empty())
      expects_other_ = true;
  }
}

const Refusal* ControlFields::decide(Request& request) const {
  const bool http_1_0 = request.minor_version == 0;
  if (!has_host_ && !http_1_0) return &host_missing;
  if (has_transfer_encoding_) {  // RFC 9112, 6.1 and 6.3
    if (has_content_length_) return &two_framings;
    if (http_1_0) return &coding_in_1_0;
    if (other_coding_) return &coding_unknown;
    request.framing = Framing::chunked;
  } else if (content_length_ != 0) {
    request.framing = Framing::length;
    request.content_length = content_length_;
  }
  if (!http_1_0) {  // HTTP/1.0 has no expectations (RFC 9110, 10.1.1)
    if (expects_other_) return &expectation_unknown;
    request.expect_continue = expects_continue_;
  }
  request.keep_alive = !close_ && (!http_1_0 || keep_alive_);
  return nullptr;
}

}  // namespace ringpost::proto::http
