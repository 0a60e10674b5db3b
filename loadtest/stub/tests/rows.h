// A table of three users as COPY writes it, byte by byte, for tests.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "loadtest/stub/table.h"
#include "tests/support/pg_messages.h"

namespace ringpost::tests {

using namespace std::string_literals;

inline const std::string copy_head("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
inline const std::string copy_end("\377\377", 2);

// Fields as a DataRow has them: of ids that differ in their last byte, in this order.
inline std::string id(char last) {
  return "\x12\x3e\x45\x67\xe8\x9b\x12\xd3\xa4\x56\x42\x66\x14\x17\x40"s + last;
}
inline const std::string ada = value(id('\0')) + value("ada@example.com") + value("Ada \"L\"") +
                               value("\0\0\0\x19"s) + value("GB") + value("\1") +
                               value("\0\x02\xec\xa9\x3e\xc2\xc0\0"s);  // 2026-01-31 08:00:00
inline const std::string bob = value(id('\1')) + value("bob@example.com") + value("") +
                               value("\xff\xff\xff\xff") + value("X ") + value("\0"s) +
                               value("\xff\xff\xff\xff\xff\xf8\x5e\xe0");  // 0.5 s before 2000
inline const std::string nobody =
    value(id('\2')) + null_value + null_value + null_value + null_value + null_value + null_value;

inline std::string tuple(std::string_view fields) {
  return int16(7) + std::string(fields);
}
inline std::vector<char> bytes_of(std::string_view text) {
  return {text.begin(), text.end()};
}
// Out of order, as a heap may be.
inline stub::Table small_table() {
  return *stub::Table::read(
      bytes_of(copy_head + tuple(bob) + tuple(nobody) + tuple(ada) + copy_end));
}

}  // namespace ringpost::tests
