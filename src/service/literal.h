// Literal: text as a template argument, so that a route's pattern and a parameter's name are
// constants where requests are compared with them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace ringpost::service {

template <size_t N>
struct Literal {
  char text[N];

  consteval Literal(const char (&literal)[N]) : text() { std::copy_n(literal, N, text); }
  constexpr std::string_view view() const { return {text, N - 1}; }
};

// Several texts, one behind the other, as one constant.
template <const std::string_view&... texts>
struct Joined {
  static constexpr auto array = [] {
    std::array<char, (texts.size() + ... + 0)> all{};
    char* at = all.data();
    ((at = std::copy(texts.begin(), texts.end(), at)), ...);
    return all;
  }();
  static constexpr std::string_view view{array.data(), array.size()};
};

}  // namespace ringpost::service
