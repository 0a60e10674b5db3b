// Invariant: however a head is cut into pieces, wherever they lie, whatever the limits and by
// whichever instructions, the parser gives the same answer; what it accepts, written out anew from
// the Request, is read as the same Request again; and no line end, control character or blank is in
// a part where none may be.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "proto/http/request_parser.h"
#include "tests/support/guarded.h"
#include "tests/support/instructions.h"

namespace ringpost {
namespace {

using namespace proto::http;
using proto::wire::Parse;

void require(bool holds) {
  if (!holds) std::abort();
}

constexpr HeadLimits small{.head_bytes = 256, .target_bytes = 64, .headers = 8};

struct Answer {
  Parse parse = Parse::partial;
  std::string text;
  size_t head_bytes = 0;
  bool operator==(const Answer&) const = default;
};

// All of what the parser says, and nothing of where the bytes lie.
Answer answer(Parse parse, const RequestParser& parser) {
  if (parse == Parse::partial) return {};
  if (parse == Parse::invalid)
    return {
        parse,
        std::to_string(static_cast<int>(parser.refusal().status)).append(parser.refusal().reason),
        0};
  const Request& request = parser.request();
  std::string text;
  const auto add = [&text](std::string_view part) { text.append(part).push_back('\n'); };
  add(request.method);
  add(request.target);
  add(request.host);
  for (const uint64_t number :
       {request.content_length, uint64_t{request.minor_version}, uint64_t{request.keep_alive},
        uint64_t{request.expect_continue}, static_cast<uint64_t>(request.framing),
        static_cast<uint64_t>(request.known_method)})
    add(std::to_string(number));
  for (const Header header : request.headers) {
    add(header.name);
    add(header.value);
  }
  return {parse, text, parser.head_bytes()};
}

Answer parse_whole(std::string_view input, const HeadLimits& limits, Instructions instructions) {
  const tests::Guarded bytes(input);
  RequestParser parser(limits, instructions);
  const Parse parse = parser.parse(bytes.view());
  return answer(parse, parser);
}

// In pieces of `step` bytes, the parser copied between them; each call sees a block of its own.
Answer parse_pieces(std::string_view input, size_t step, const HeadLimits& limits,
                    Instructions instructions) {
  RequestParser parser(limits, instructions);
  for (size_t length = step;; length += step) {
    const tests::Guarded bytes(input.substr(0, length));
    const Parse parse = parser.parse(bytes.view());
    if (parse != Parse::partial || length >= input.size()) return answer(parse, parser);
    const RequestParser copy(parser);
    parser = copy;
  }
}

// In two pieces, cut at each of the first places; long ones would take a second.
void check_cuts(std::string_view input, const HeadLimits& limits, const Answer& expected) {
  if (input.size() > 1024) return;
  for (size_t cut = 1; cut < std::min<size_t>(input.size(), 96); ++cut) {
    RequestParser parser(limits);
    const tests::Guarded front(input.substr(0, cut)), all(input);
    Parse parse = parser.parse(front.view());
    if (parse == Parse::partial) parse = parser.parse(all.view());
    require(answer(parse, parser) == expected);
  }
}

void check_parts(const Request& request) {
  const auto none_in = [](std::string_view part, auto wrong) {
    for (const char c : part) require(!wrong(static_cast<unsigned char>(c)));
  };
  const auto blank_or_control = [](unsigned char c) { return c <= ' ' || c >= 0x7f; };
  const auto control = [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; };
  require(!request.method.empty() && !request.target.empty());
  none_in(request.method, blank_or_control);
  none_in(request.target, blank_or_control);
  none_in(request.host, blank_or_control);
  for (const Header header : request.headers) {
    require(!header.name.empty() && header.name.find(':') == std::string_view::npos);
    none_in(header.name, blank_or_control);
    none_in(header.value, control);
  }
  require(request.framing == Framing::length || request.content_length == 0);
}

std::string written(const Request& request) {
  std::string head(request.method);
  head.append(" ").append(request.target).append(" HTTP/1.");
  head.append(std::to_string(request.minor_version)).append("\r\n");
  for (const Header header : request.headers)
    head.append(header.name).append(":").append(header.value).append("\r\n");
  return head.append("\r\n");
}

void check(std::string_view input, const HeadLimits& limits) {
  const Answer expected = parse_whole(input, limits, Instructions::portable);
  for (const Instructions instructions : tests::instructions_here()) {
    require(parse_whole(input, limits, instructions) == expected);
    for (const size_t step : {1uz, 7uz, 16uz, 33uz, 70uz})
      require(parse_pieces(input, step, limits, instructions) == expected);
  }
  check_cuts(input, limits, expected);
  if (expected.parse != Parse::complete) return;

  RequestParser parser(limits);
  parser.parse(input);
  check_parts(parser.request());
  require(parser.head_bytes() <= input.size() && parser.head_bytes() <= limits.head_bytes);
  const std::string again = written(parser.request());
  RequestParser second(limits);
  require(second.parse(again) == Parse::complete && second.head_bytes() == again.size());
  require(answer(Parse::complete, second).text == expected.text);
}

}  // namespace
}  // namespace ringpost

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  ringpost::check(input, {});
  ringpost::check(input, ringpost::small);
  return 0;
}
