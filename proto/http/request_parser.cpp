#include "proto/http/request_parser.h"

#include <algorithm>
#include <cstring>

#include "proto/http/scan.h"

namespace ringpost::proto::http {

using wire::Parse;

namespace {

// Some clients send an empty line behind a body: those before a request line are ignored (RFC
// 9112, 2.2). A flood of them is no request.
constexpr uint32_t most_leading_bytes = 8;
// A method longer than any that is implemented is answered 501 (RFC 9112, 3). The longest of the
// registered ones has 17 characters.
constexpr uint32_t most_method_bytes = 32;

constexpr Refusal bare_cr{Status::bad_request, "a line ends in CRLF, not in CR alone"};
constexpr Refusal bare_lf{Status::bad_request, "a line ends in CRLF, not in LF alone"};
constexpr Refusal too_many_empty_lines{Status::bad_request,
                                       "there are too many empty lines before the request line"};
constexpr Refusal method_malformed{Status::bad_request,
                                   "the request line does not begin with a method and one blank"};
constexpr Refusal method_too_long{Status::not_implemented,
                                  "the method is longer than any this server knows"};
constexpr Refusal target_malformed{
    Status::bad_request, "the request-target is empty or has a character that must be escaped"};
constexpr Refusal target_too_long{Status::uri_too_long,
                                  "the request-target is longer than this server takes"};
constexpr Refusal target_of_no_form{Status::bad_request,
                                    "the request-target is neither a path nor an http URI"};
constexpr Refusal target_without_host{Status::bad_request,
                                      "the request-target's authority is malformed"};
constexpr Refusal target_not_of_connect{Status::bad_request,
                                        "CONNECT takes a host and a port as its target"};
// An origin server has no tunnel to give, and a client that took an answer for one would send
// what is no HTTP (RFC 9110, 9.1 and 9.3.6).
constexpr Refusal connect_unknown{Status::not_implemented, "this server makes no tunnels"};
constexpr Refusal target_of_options{Status::bad_request, "* is a target for OPTIONS alone"};
constexpr Refusal version_malformed{
    Status::bad_request, "the request line does not end in one blank, an HTTP version and CRLF"};
constexpr Refusal version_unknown{Status::http_version_not_supported,
                                  "this server speaks HTTP/1.1 and HTTP/1.0"};
constexpr Refusal name_malformed{Status::bad_request,
                                 "a field line does not begin with a name and a colon"};
constexpr Refusal name_then_blank{Status::bad_request,
                                  "there is a blank between a field's name and its colon"};
constexpr Refusal line_folded{Status::bad_request, "a field line begins with a blank"};
constexpr Refusal value_malformed{Status::bad_request, "a field value has a control character"};
constexpr Refusal too_many_fields{Status::request_header_fields_too_large,
                                  "there are more fields than this server takes"};
constexpr Refusal head_too_large{Status::request_header_fields_too_large,
                                 "the head is larger than this server takes"};

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

Method known_method(std::string_view method) {
  switch (method.size()) {
    case 3:
      return method == "GET" ? Method::get : method == "PUT" ? Method::put : Method::other;
    case 4:
      return method == "HEAD" ? Method::head : method == "POST" ? Method::post : Method::other;
    case 5:
      return method == "PATCH" ? Method::patch : method == "TRACE" ? Method::trace : Method::other;
    case 6:
      return method == "DELETE" ? Method::delete_ : Method::other;
    case 7:
      return method == "OPTIONS"   ? Method::options
             : method == "CONNECT" ? Method::connect
                                   : Method::other;
    default:
      return Method::other;
  }
}

}  // namespace

RequestParser::RequestParser(const HeadLimits& limits) : limits_(limits), table_(limits.headers) {}

void RequestParser::reset() {
  at_ = count_ = 0;
  state_ = State::start;
  authority_ = {};
  controls_ = {};
  request_ = {};
  refusal_ = nullptr;
}

// What lies behind the limit is not looked at, so that the answer is the same whether it has come
// or not.
Parse RequestParser::parse(std::string_view input) {
  Cursor in{input.data(), input.data() + at_,
            input.data() + std::min<size_t>(input.size(), limits_.head_bytes)};
  if (state_ < State::line_start) refusal_ = read_request_line(in);
  if (state_ >= State::line_start && refusal_ == nullptr) refusal_ = read_fields(in);
  at_ = in.offset();
  if (refusal_ == nullptr && state_ == State::complete) refusal_ = finish(input.data());
  if (refusal_ != nullptr) return Parse::invalid;
  if (state_ == State::complete) return Parse::complete;
  if (input.size() < limits_.head_bytes) return Parse::partial;
  refusal_ = &head_too_large;
  return Parse::invalid;
}

// Each case is where the input may have ended, and where reading then goes on.
const Refusal* RequestParser::read_request_line(Cursor& in) {
  switch (state_) {
    case State::start:
      for (; !in.at_end() && *in.at == '\r'; in.at += 2) {
        if (in.left() < 2) return nullptr;
        if (in.at[1] != '\n') return &bare_cr;
        if (in.offset() == most_leading_bytes) return &too_many_empty_lines;
      }
      if (in.at_end()) return nullptr;
      method_.begin = in.offset();
      state_ = State::method;
      [[fallthrough]];
    case State::method:
      in.at = scanning::scan_token(in.begin, in.at, in.end);
      method_.size = in.offset() - method_.begin;
      if (method_.size > most_method_bytes) return &method_too_long;
      if (in.at_end()) return nullptr;
      if (method_.size == 0 || *in.at != ' ') return &method_malformed;
      ++in.at;
      target_.begin = in.offset();
      state_ = State::target;
      [[fallthrough]];
    case State::target:
      in.at = scanning::scan_uri(in.begin, in.at, in.end);
      target_.size = in.offset() - target_.begin;
      if (target_.size > limits_.target_bytes) return &target_too_long;
      if (in.at_end()) return nullptr;
      if (*in.at == '\r' || *in.at == '\n') return &version_malformed;  // as HTTP/0.9 did
      if (target_.size == 0 || *in.at != ' ') return &target_malformed;
      ++in.at;
      state_ = State::version;
      [[fallthrough]];
    default:
      return read_version(in);
  }
}

// HTTP-version CRLF (RFC 9112, 2.3). A later HTTP/1.x is read as HTTP/1.1 (RFC 9110, 2.5).
const Refusal* RequestParser::read_version(Cursor& in) {
  constexpr std::string_view usual = "HTTP/1.1\r\n";
  constexpr size_t major = 5, minor = 7;
  const std::string_view line(in.at, std::min(in.left(), usual.size()));
  if (line != usual) {
    for (size_t i = 0; i < line.size(); ++i) {
      if (i == minor + 1 && line[major] != '1') return &version_unknown;
      if (i == major || i == minor ? !is_digit(line[i]) : line[i] != usual[i])
        return &version_malformed;
    }
    if (line.size() > minor && line[major] != '1') return &version_unknown;
    if (line.size() < usual.size()) return nullptr;
  }
  request_.minor_version = line[minor] == '0' ? 0 : 1;
  in.at += usual.size();
  state_ = State::line_start;
  return check_target(in.begin);
}

// The four forms of a request-target (RFC 9112, 3.2)
const Refusal* RequestParser::check_target(const char* head) {
  request_.known_method = known_method(method_.in(head));
  const std::string_view target = target_.in(head);
  if (request_.known_method == Method::connect) {
    if (!is_authority(target) || !target.contains(':') || !is_digit(target.back()))
      return &target_not_of_connect;
    return &connect_unknown;
  }
  if (target.front() == '/') return nullptr;
  if (target == "*") return request_.known_method == Method::options ? nullptr : &target_of_options;
  constexpr std::string_view scheme = "http://";
  if (!equals_ignoring_case(target.substr(0, scheme.size()), scheme)) return &target_of_no_form;
  const size_t authority_end = std::min(target.find_first_of("/?", scheme.size()), target.size());
  authority_ = {target_.begin + static_cast<uint32_t>(scheme.size()),
                static_cast<uint32_t>(authority_end - scheme.size())};
  return is_authority(authority_.in(head)) ? nullptr : &target_without_host;
}

// *( field-name ":" OWS field-value OWS CRLF ) CRLF (RFC 9112, 5)
const Refusal* RequestParser::read_fields(Cursor& in) {
  for (;;) {
    if (in.at_end()) return nullptr;
    switch (state_) {
      case State::line_start:
        if (*in.at == '\r') {
          ++in.at;
          state_ = State::head_end;
          continue;
        }
        if (count_ == limits_.headers) return &too_many_fields;
        table_[count_].name.begin = in.offset();
        state_ = State::name;
        [[fallthrough]];
      case State::name: {
        Span& name = table_[count_].name;
        in.at = scanning::scan_token(in.begin, in.at, in.end);
        if (in.at_end()) return nullptr;
        name.size = in.offset() - name.begin;
        if (*in.at != ':' || name.size == 0) {
          if (is_blank(*in.at)) return name.size == 0 ? &line_folded : &name_then_blank;
          return *in.at == '\n' ? &bare_lf : &name_malformed;
        }
        ++in.at;
        state_ = State::value_start;
        [[fallthrough]];
      }
      case State::value_start:
        while (!in.at_end() && is_blank(*in.at)) ++in.at;
        if (in.at_end()) return nullptr;
        table_[count_].value.begin = in.offset();
        state_ = State::value;
        [[fallthrough]];
      case State::value:
        in.at = scanning::scan_field_content(in.begin, in.at, in.end);
        if (in.at_end()) return nullptr;
        if (*in.at != '\r') return *in.at == '\n' ? &bare_lf : &value_malformed;
        table_[count_].value.size = in.offset() - table_[count_].value.begin;
        ++in.at;
        state_ = State::line_end;
        if (in.at_end()) return nullptr;
        [[fallthrough]];
      case State::line_end: {
        if (*in.at != '\n') return &bare_cr;
        ++in.at;
        HeaderSpans& field = table_[count_++];
        while (field.value.size != 0 && is_blank(field.value.in(in.begin).back()))
          --field.value.size;
        state_ = State::line_start;
        const Header header = field.in(in.begin);
        if (const Refusal* refusal = controls_.take(header.name, header.value)) return refusal;
        continue;
      }
      default:  // head_end
        if (*in.at != '\n') return &bare_cr;
        ++in.at;
        state_ = State::complete;
        return nullptr;
    }
  }
}

const Refusal* RequestParser::finish(const char* head) {
  request_.method = method_.in(head);
  request_.target = target_.in(head);
  request_.headers = Headers(head, {table_.data(), count_});
  // The target's own authority goes before Host (RFC 9112, 3.2.2).
  request_.host = authority_.size != 0 ? authority_.in(head) : request_.find("host").value_or("");
  return controls_.decide(request_);
}

}  // namespace ringpost::proto::http
