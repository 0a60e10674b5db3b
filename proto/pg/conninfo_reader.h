// Reads settings by name, as text, number, list or one of some words. The first that is wrong is
// the failure of all: what is returned from then on means nothing.
#pragma once

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/pg/conninfo_settings.h"
#include "proto/pg/conninfo_syntax.h"

namespace ringpost::proto::pg {

class ConninfoReader {
 public:
  explicit ConninfoReader(const Settings& settings) : settings_(settings) {}

  std::string text(std::string_view name, std::string_view otherwise = "") const {
    return settings_.value(name, otherwise);
  }
  std::vector<std::string> list(std::string_view name) const { return split(text(name)); }

  // The place of the value in `names`, which are the enumerators in their order; `otherwise` where
  // there is none.
  template <class Enum, size_t N>
  Enum choice(std::string_view name, const std::string_view (&names)[N], Enum otherwise) {
    const std::string value = text(name);
    if (value.empty()) return otherwise;
    const auto* found = std::find(std::begin(names), std::end(names), value);
    if (found != std::end(names)) return static_cast<Enum>(found - std::begin(names));
    refuse(name, "is none of " + joined(names));
    return otherwise;
  }

  std::optional<int> integer(std::string_view name, const char* unit) {
    const std::string value = text(name);
    if (value.empty()) return std::nullopt;
    const std::optional<int> number = parse_integer(value);
    if (!number) refuse(name, std::string("is no number of ") + unit);
    return number;
  }

  // Zero and less are as good as none.
  template <class Unit>
  std::optional<Unit> positive(std::string_view name, const char* unit) {
    const std::optional<int> number = integer(name, unit);
    if (number.value_or(0) <= 0) return std::nullopt;
    return Unit(*number);
  }

  void refuse(std::string_view name, const std::string& why) {
    if (failure_.empty()) failure_ = settings_.label(name) + " " + why;
  }
  const std::string& failure() const { return failure_; }

  template <size_t N>
  static std::string joined(const std::string_view (&names)[N]) {
    std::string all;
    for (const std::string_view one : names) all.append(all.empty() ? "" : ", ").append(one);
    return all;
  }

  // As strtol reads one, and blanks behind it.
  static std::optional<int> parse_integer(std::string_view text) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
  }

 private:
  // A list by commas; without text an empty one.
  static std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> parts;
    if (!text.empty()) parts.emplace_back();
    for (const char c : text) {
      if (c == ',')
        parts.emplace_back();
      else
        parts.back() += c;
    }
    return parts;
  }

  const Settings& settings_;
  std::string failure_;
};

}  // namespace ringpost::proto::pg
