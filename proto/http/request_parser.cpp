#include "proto/http/request_parser.h"

#include <algorithm>
#include <cstring>

#include "proto/http/authority.h"
#include "proto/http/scanner.h"

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

constexpr std::string_view usual_version = "HTTP/1.1\r\n";
constexpr size_t version_major = 5, version_minor = 7;

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// HTTP-version CRLF, or what there is of it (RFC 9112, 2.3). A later HTTP/1.x is read as HTTP/1.1
// (RFC 9110, 2.5).
const Refusal* check_version(std::string_view line) {
  for (size_t i = 0; i < std::min(line.size(), usual_version.size()); ++i) {
    if (i == version_minor + 1 && line[version_major] != '1') return &version_unknown;
    if (i == version_major || i == version_minor ? !is_digit(line[i]) : line[i] != usual_version[i])
      return &version_malformed;
  }
  return line.size() > version_minor && line[version_major] != '1' ? &version_unknown : nullptr;
}

const Refusal* refuse_target(char behind) {
  // HTTP/0.9 had no version.
  return behind == '\r' || behind == '\n' ? &version_malformed : &target_malformed;
}

// A field line that has no name in front of a colon.
const Refusal* refuse_name(bool is_empty, char behind) {
  if (is_blank(behind)) return is_empty ? &line_folded : &name_then_blank;
  return behind == '\n' ? &bare_lf : &name_malformed;
}

// What stands behind a value and is not CRLF; it may be a part of it.
const Refusal* refuse_value(std::string_view behind) {
  if (behind.empty() || behind == "\r") return nullptr;
  if (behind[0] == '\r') return &bare_cr;
  return behind[0] == '\n' ? &bare_lf : &value_malformed;
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

Instructions best_instructions() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                        __builtin_cpu_supports("bmi2");
  return has_avx2 ? Instructions::avx2 : Instructions::sse2;
#else
  return Instructions::portable;
#endif
}

RequestParser::RequestParser(const HeadLimits& limits, Instructions instructions)
    : limits_(limits), instructions_(instructions), table_(limits.headers) {}

void RequestParser::reset() {
  progress_ = {};
  authority_ = {};
  controls_ = {};
}

Parse RequestParser::parse(std::string_view input) {
#if defined(__x86_64__)
  if (instructions_ == Instructions::avx2) return parse_by_avx2(input);
  if (instructions_ == Instructions::sse2) return parse_by_sse2(input);
#endif
  return parse_by<PortableScanner>(input);
}

#if defined(__x86_64__)
// Flat: what they call is inlined, and so compiled for the same instructions.
RINGPOST_AVX2 [[gnu::flatten]] Parse RequestParser::parse_by_avx2(std::string_view input) {
  return parse_by<WindowScanner<Avx2>>(input);
}
[[gnu::flatten]] Parse RequestParser::parse_by_sse2(std::string_view input) {
  return parse_by<WindowScanner<Sse2>>(input);
}
#endif

// What lies behind the limit is not looked at, so that the answer is the same whether it has come
// or not.
template <class Scanner>
RINGPOST_INLINE Parse RequestParser::parse_by(std::string_view input) {
  const size_t size = std::min<size_t>(input.size(), limits_.head_bytes);
  Cursor in{progress_, input.data(), size};
  const Refusal* refusal = nullptr;
  if (in.state < State::name) refusal = read_request_line<Scanner>(in);
  if (in.state >= State::name && refusal == nullptr) refusal = read_fields<Scanner>(in);
  progress_ = static_cast<const Progress&>(in);
  if (refusal == nullptr) {
    if (in.state == State::complete)
      refusal = finish(in);
    else if (input.size() < limits_.head_bytes)
      return Parse::partial;
    else
      refusal = &head_too_large;
  }
  if (refusal == nullptr) return Parse::complete;
  refusal_ = refusal;
  return Parse::invalid;
}

// Each state is where the input may have ended, and where reading then goes on.
template <class Scanner>
RINGPOST_INLINE const Refusal* RequestParser::read_request_line(Cursor& in) {
  if (in.state == State::start) {
    for (; !in.at_end() && *in == '\r'; in.at += 2) {
      if (!in.at_crlf()) return in.left() < 2 ? nullptr : &bare_cr;
      if (in.at == most_leading_bytes) return &too_many_empty_lines;
    }
    if (in.at_end()) return nullptr;
    in.piece = in.at;
    in.state = State::method;
    if (in.begins_with("GET ")) {  // as almost all
      method_ = {static_cast<uint32_t>(in.at), 3};
      request_.known_method = Method::get;
      in.piece = in.at += 4;
      in.state = State::target;
    }
  }
  if (in.state == State::method) {
    in.at = walk<is_tchar>(in.head, in.at, in.end);
    method_ = in.span();
    if (method_.size > most_method_bytes) return &method_too_long;
    if (in.at_end()) return nullptr;
    if (method_.size == 0 || *in != ' ') return &method_malformed;
    request_.known_method = known_method(method_.in(in.head));
    in.piece = ++in.at;
    in.state = State::target;
  }
  if (in.state == State::target) {
    in.at = Scanner::uri_end(in.head, in.at, in.end);
    target_ = in.span();
    if (target_.size > limits_.target_bytes) return &target_too_long;
    if (in.at_end()) return nullptr;
    if (target_.size == 0 || *in != ' ') return refuse_target(*in);
    ++in.at;
    in.state = State::version;
  }
  request_.minor_version = 1;
  if (!in.begins_with(usual_version)) {
    const Refusal* const refusal = check_version({&*in, in.left()});
    if (refusal != nullptr || in.left() < usual_version.size()) return refusal;
    if (in[version_minor] == '0') request_.minor_version = 0;
  }
  in.piece = in.at += usual_version.size();
  in.state = State::name;
  return check_target(in.head);
}

// The four forms of a request-target (RFC 9112, 3.2)
const Refusal* RequestParser::check_target(const char* head) {
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
template <class Scanner>
RINGPOST_INLINE const Refusal* RequestParser::read_fields(Cursor& in) {
  Scanner scanner(in.head, in.at, in.end);
  HeaderSpans* const table = table_.data();
  const size_t most_fields = limits_.headers;
  for (;;) {
    if (in.state == State::name) {
      if (in.fields == most_fields && !in.at_end() && *in != '\r') return &too_many_fields;
      in.at = scanner.token_end(in.at);
      if (in.at_end()) return nullptr;
      if (*in != ':' || in.at == in.piece) {
        if (*in != '\r' || in.at != in.piece) return refuse_name(in.at == in.piece, *in);
        if (!in.at_crlf()) return in.left() < 2 ? nullptr : &bare_cr;
        in.at += 2;
        in.state = State::complete;
        return nullptr;
      }
      table[in.fields].name = in.span();
      in.piece = ++in.at;
      in.state = State::value;
    }
    in.at = scanner.content_end(in.at);
    if (!in.at_crlf()) [[unlikely]]
      return refuse_value({&*in, in.left()});
    // The white space around a value ends at its colon and its CR.
    const char *value = in.head + in.piece, *value_end = &*in;
    while (is_blank(*value)) ++value;
    while (value < value_end && is_blank(value_end[-1])) --value_end;
    HeaderSpans& field = table[in.fields++];
    field.value = {static_cast<uint32_t>(value - in.head),
                   static_cast<uint32_t>(value_end - value)};
    in.piece = in.at += 2;
    in.state = State::name;
    // Unlikely or not, registers are for the fields without a call.
    if (ControlFields::may_be_one(field.name.size)) [[unlikely]]
      if (const Refusal* const refusal = controls_.take(in.head, field)) return refusal;
  }
}

RINGPOST_INLINE const Refusal* RequestParser::finish(const Cursor& in) {
  request_.method = method_.in(in.head);
  request_.target = target_.in(in.head);
  request_.headers = Headers(in.head, {table_.data(), in.fields});
  const Refusal* const refusal = controls_.decide(in.head, request_);
  // The target's own authority goes before Host (RFC 9112, 3.2.2).
  if (authority_.size != 0) request_.host = authority_.in(in.head);
  return refusal;
}

}  // namespace ringpost::proto::http
