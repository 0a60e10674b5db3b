// The pieces in which bytes may come from a socket: whole, cut in two at each place, in pieces of
// two and of three, and one by one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ringpost::tests {

using Pieces = std::vector<std::string_view>;

inline Pieces pieces_of(std::string_view bytes, size_t length) {
  Pieces pieces;
  for (size_t at = 0; at < bytes.size(); at += length) pieces.push_back(bytes.substr(at, length));
  return pieces;
}

// Calls `check(pieces)` for each of them. The pieces are views of `bytes`.
template <class Check>
void every_split(std::string_view bytes, Check check) {
  check(Pieces{bytes});
  for (size_t cut = 1; cut < bytes.size(); ++cut)
    check(Pieces{bytes.substr(0, cut), bytes.substr(cut)});
  for (const size_t length : {3uz, 2uz, 1uz}) check(pieces_of(bytes, length));
}

// For messages: "3|17|1".
inline std::string lengths(const Pieces& pieces) {
  std::string text;
  for (const std::string_view piece : pieces)
    text.append(text.empty() ? "" : "|").append(std::to_string(piece.size()));
  return text;
}

}  // namespace ringpost::tests
