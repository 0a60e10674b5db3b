// Pattern: the paths of a route. A name in braces stands for one segment, which is not empty:
//
//     /users/{id}    matches /users/7, and neither /users/ nor /users/7/x
//
// Paths are decoded before they are matched. A pattern is a type, so that matching it is a few
// comparisons with constants.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "src/service/literal.h"

namespace ringpost::service {

consteval bool is_pattern(std::string_view text) {
  if (!text.starts_with('/')) return false;
  for (size_t at = text.find_first_of("{}"); at != std::string_view::npos;) {
    const size_t end = text.find('}', at);
    if (text[at] != '{' || text[at - 1] != '/' || end == std::string_view::npos) return false;
    if (end == at + 1 || text.find('{', at + 1) < end) return false;
    if (end + 1 != text.size() && text[end + 1] != '/') return false;
    at = text.find_first_of("{}", end + 1);
  }
  return text.find_first_of("?#% ") == std::string_view::npos;
}

template <Literal text>
class Pattern {
 public:
  static constexpr std::string_view view = text.view();
  static_assert(is_pattern(view), "a pattern begins with /, and its names are whole segments");
  static constexpr size_t parameters =
      static_cast<size_t>(std::count(view.begin(), view.end(), '{'));
  // Of `path`: its segments that have a name, in their order.
  using Segments = std::array<std::string_view, parameters>;

  static constexpr bool match(std::string_view path, Segments& segments) {
    return match_from<0, 0>(path, segments);
  }

  // Whether a target, as it came, is likely to be one of this: for what is no more than an
  // estimate.
  static constexpr bool likely(std::string_view target) {
    constexpr std::string_view begin = view.substr(0, view.find('{'));
    if (!starts_with<0, begin.size()>(target)) return false;
    return parameters != 0 || target.size() == begin.size() || target[begin.size()] == '?';
  }

  static constexpr std::array<std::string_view, parameters> names = [] {
    std::array<std::string_view, parameters> all{};
    size_t at = 0;
    for (std::string_view& name : all) {
      at = view.find('{', at) + 1;
      name = view.substr(at, view.find('}', at) - at);
    }
    return all;
  }();
  // Of a name; parameters, where there is none of it.
  static consteval size_t index_of(std::string_view name) {
    return static_cast<size_t>(std::ranges::find(names, name) - names.begin());
  }

 private:
  // Whether these `size` bytes of the pattern are the first of `path`. What is compared is known
  // when this is compiled, which string_view's own comparison makes nothing of: a call each.
  template <size_t at, size_t size>
  static constexpr bool starts_with(std::string_view path) {
    return path.size() >= size && __builtin_memcmp(path.data(), view.data() + at, size) == 0;
  }

  // From the byte `at` of the pattern on, with the segment `nth` to come.
  template <size_t at, size_t nth>
  static constexpr bool match_from(std::string_view rest, Segments& segments) {
    constexpr size_t brace = std::min(view.find('{', at), view.size());
    constexpr std::string_view literal = view.substr(at, brace - at);
    if constexpr (brace == view.size()) {
      return rest.size() == literal.size() && starts_with<at, literal.size()>(rest);
    } else {
      if (!starts_with<at, literal.size()>(rest)) return false;
      rest.remove_prefix(literal.size());
      const size_t slash = rest.find('/');
      constexpr size_t behind = view.find('}', brace) + 1;
      if constexpr (behind == view.size()) {
        segments[nth] = rest;
        return !rest.empty() && slash == std::string_view::npos;
      } else {
        if (slash == 0 || slash == std::string_view::npos) return false;
        segments[nth] = rest.substr(0, slash);
        return match_from<behind, nth + 1>(rest.substr(slash), segments);
      }
    }
  }
};

}  // namespace ringpost::service
