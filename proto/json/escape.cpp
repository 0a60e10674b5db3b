#include "proto/json/escape.h"

#include <algorithm>
#include <array>

namespace ringpost::proto::json {

namespace {

// What a byte is written as. The length is in the last byte: an escape has six at most.
using Written = std::array<char, 8>;

constexpr auto written_as = [] {
  constexpr char digits[] = "0123456789abcdef";
  std::array<Written, 256> table{};
  for (size_t c = 0; c < table.size(); ++c) {
    table[c] = {static_cast<char>(c), 0, 0, 0, 0, 0, 0, 1};
    if (c < 0x20) table[c] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15], 0, 6};
  }
  constexpr std::string_view named = "\b\f\n\r\t\"\\", names = "bfnrt\"\\";
  for (size_t i = 0; i < named.size(); ++i)
    table[static_cast<size_t>(named[i])] = {'\\', names[i], 0, 0, 0, 0, 0, 2};
  return table;
}();

char* write_each(char* to, const char* from, size_t length) {
  for (const char* const end = from + length; from != end; ++from) {
    const Written& written = written_as[static_cast<uint8_t>(*from)];
    std::memcpy(to, written.data(), sizeof written);
    to += written.back();
  }
  return to;
}

}  // namespace

template <class AnyBlock>
char* escape(char* to, std::string_view text) {
  const char* from = text.data();
  size_t left = text.size();
  for (; left >= 16; from += 16, left -= 16)
    to = AnyBlock::copy(to, from) == 0 ? to + 16 : write_each(to, from, 16);
  return copy_plain<AnyBlock>(to, from, left) ? to + left : write_each(to, from, left);
}

template char* escape<PortableBlock>(char*, std::string_view);
#if defined(__SSE2__)
template char* escape<Sse2Block>(char*, std::string_view);
#endif

}  // namespace ringpost::proto::json
