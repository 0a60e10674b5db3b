// Unicode's tables for SASLprep, each sorted by its first member. See saslprep_tables.py.
#pragma once

#include <cstdint>
#include <span>

namespace ringpost::proto::pg::detail {

struct CodePointRange {
  char32_t first, last;
};
struct CombiningClass {
  char32_t code_point;
  uint8_t value;
};
// A code point's full compatibility decomposition: `length` code points of `decomposed`, from
// `begin`.
struct Decomposition {
  char32_t code_point;
  uint16_t begin;
  uint8_t length;
};
struct Composition {
  char32_t first, second, composed;
};

extern const std::span<const CodePointRange> mapped_to_space, mapped_to_nothing, prohibited,
    right_to_left, left_to_right;
extern const std::span<const CombiningClass> combining_classes;
extern const std::span<const char32_t> decomposed;
extern const std::span<const Decomposition> decompositions;
extern const std::span<const Composition> compositions;

}  // namespace ringpost::proto::pg::detail
