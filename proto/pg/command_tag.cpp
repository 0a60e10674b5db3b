#include "proto/pg/command_tag.h"

#include <charconv>

namespace ringpost::proto::pg {

std::string_view command_of(std::string_view command_tag) {
  if (!command_tag.ends_with('\0')) return {};
  command_tag.remove_suffix(1);
  return command_tag.find('\0') == std::string_view::npos ? command_tag : std::string_view();
}

uint64_t affected_rows(std::string_view command_tag) {
  const std::string_view command = command_of(command_tag);
  const std::string_view last = command.substr(command.rfind(' ') + 1);
  uint64_t count = 0;
  const auto [end, error] = std::from_chars(last.data(), last.data() + last.size(), count);
  return error == std::errc() && end == last.data() + last.size() ? count : 0;
}

}  // namespace ringpost::proto::pg
