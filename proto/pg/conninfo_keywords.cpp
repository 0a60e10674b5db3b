#include <algorithm>

#include "proto/pg/conninfo_syntax.h"

namespace ringpost::proto::pg {

namespace {

using Failure = std::unexpected<std::string>;

// Takes a value off `rest`, or nothing when its closing quote is missing.
std::optional<std::string> take_value(std::string_view& rest) {
  const bool in_quotes = rest.starts_with('\'');
  std::string value;
  size_t at = in_quotes ? 1 : 0;
  for (; at < rest.size() && (in_quotes ? rest[at] != '\'' : !is_blank(rest[at])); ++at) {
    if (rest[at] == '\\' && ++at == rest.size()) break;
    value += rest[at];
  }
  if (in_quotes && at++ == rest.size()) return std::nullopt;
  rest.remove_prefix(at);
  return value;
}

void skip_blanks(std::string_view& rest) {
  while (!rest.empty() && is_blank(rest.front())) rest.remove_prefix(1);
}

// Of a setting, as far as it can be one's: what stands behind a password with a blank in it that is
// not in quotes is still a part of it.
bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace

std::expected<void, std::string> store(Settings& settings, std::string_view name, std::string value,
                                       bool may_show) {
  if (name == "requiressl") {  // before PostgreSQL 7.4
    name = "sslmode";
    value = value.starts_with('1') ? "require" : "prefer";
  }
  if (settings.set(name, {.value = std::move(value)})) return {};
  if (may_show && is_name(name)) return Failure(quote(name) + " is no setting that libpq knows");
  return Failure(
      "it names a setting that libpq does not know (which is not shown: it may be a part of a "
      "password; a value with blanks is written in single quotes)");
}

std::expected<void, std::string> parse_keywords(std::string_view text, Settings& settings) {
  bool may_show = true;
  for (skip_blanks(text); !text.empty(); skip_blanks(text)) {
    const size_t size = static_cast<size_t>(
        std::find_if(text.begin(), text.end(), [](char c) { return c == '=' || is_blank(c); }) -
        text.begin());
    const std::string_view name = text.substr(0, size);
    text.remove_prefix(size);
    skip_blanks(text);
    const Keyword* keyword = find_keyword(name);
    if (!text.starts_with('='))
      return Failure((keyword != nullptr || (may_show && is_name(name)) ? quote(name) : "a word") +
                     " has no value; write name=value, and a value with blanks in single quotes");
    text.remove_prefix(1);
    skip_blanks(text);
    auto value = take_value(text);
    if (!value)
      return Failure("the value of " + (keyword != nullptr ? quote(name) : "a setting") +
                     " has no closing quote");
    if (auto stored = store(settings, name, std::move(*value), may_show); !stored) return stored;
    may_show &= keyword == nullptr || !keyword->secret;
  }
  return {};
}

}  // namespace ringpost::proto::pg
