// A member of a JSON object whose name is known when the program is compiled, so that the name, its
// quotes, its colon and the comma before it are one constant:
//
//     json.object(field<"id">(user.id), field<"full_name">(user.full_name));
//
// A field refers to its value, which has to live as long as the expression.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace ringpost::proto::json {

// A name that stands for itself in JSON: one with a character to be escaped does not compile.
template <size_t N>
struct Name {
  char text[N];

  consteval Name(const char (&literal)[N]) : text() {
    std::copy_n(literal, N, text);
    for (size_t i = 0; i + 1 < N; ++i)
      if (static_cast<uint8_t>(text[i]) < 0x20 || text[i] == '"' || text[i] == '\\')
        throw "a field's name must need no escaping";
  }
  // `before`, the name in quotes, and the colon.
  consteval std::array<char, N + 3> with(char before) const {
    std::array<char, N + 3> key{before, '"'};
    std::copy_n(text, N - 1, key.begin() + 2);
    key[N + 1] = '"';
    key[N + 2] = ':';
    return key;
  }
};

template <Name name, class T>
struct Field {
  static constexpr auto first_key = name.with('{'), next_key = name.with(',');

  const T& value;
};

template <Name name, class T>
Field<name, T> field(const T& value) {
  return {value};
}

}  // namespace ringpost::proto::json
