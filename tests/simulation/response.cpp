#include "tests/simulation/response.h"

#include <charconv>

namespace ringpost::simulation {

namespace {

bool is_number(std::string_view text, size_t& value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end;
}

}  // namespace

std::optional<Response> read_response(std::string_view bytes, bool head_only, std::string& wrong) {
  constexpr std::string_view version = "HTTP/1.1 ";
  const std::string_view begin = bytes.substr(0, version.size());
  if (begin != version.substr(0, begin.size())) {
    wrong = "an answer does not begin with HTTP/1.1";
    return std::nullopt;
  }
  const size_t head_end = bytes.find("\r\n\r\n");
  if (head_end == std::string_view::npos) {
    if (bytes.size() > 4096) wrong = "the head of an answer does not end";
    return std::nullopt;
  }
  std::string_view head = bytes.substr(0, head_end + 2);
  Response response;
  size_t status = 0;
  if (head.size() < 14 || !is_number(head.substr(9, 3), status) || head[12] != ' ') {
    wrong = "an answer has a malformed status line";
    return std::nullopt;
  }
  response.status = static_cast<int>(status);
  head.remove_prefix(head.find("\r\n") + 2);
  size_t length = 0, lengths = 0, dates = 0;
  while (!head.empty()) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    head.remove_prefix(line.size() + 2);
    const size_t colon = line.find(": ");
    if (colon == std::string_view::npos || line.find('\n') != std::string_view::npos) {
      wrong = "an answer has a malformed field";
      return std::nullopt;
    }
    const std::string_view name = line.substr(0, colon), value = line.substr(colon + 2);
    if (name == "Content-Length") {
      ++lengths;
      if (!is_number(value, length)) wrong = "an answer has a malformed Content-Length";
    } else if (name == "Date") {
      ++dates;
      if (value.size() != 29 || !value.ends_with(" GMT")) wrong = "an answer has a malformed Date";
    } else if (name == "Connection") {
      response.close |= value == "close";
    } else if (name == "Retry-After") {
      response.retry_after = true;
    } else if (name != "Content-Type" && name != "Allow") {
      wrong = "an answer has a field that nobody wrote: " + std::string(name);
    }
  }
  const bool interim = response.status == 100;
  if (lengths != (interim ? 0U : 1U) || dates != (interim ? 0U : 1U))
    wrong = "an answer lacks Content-Length or Date, or has them twice";
  if (!wrong.empty()) return std::nullopt;
  response.size = head_end + 4;
  response.length = length;
  if (interim || head_only) return response;
  if (bytes.size() - response.size < length) return std::nullopt;
  response.body = bytes.substr(response.size, length);
  response.size += length;
  return response;
}

}  // namespace ringpost::simulation
