// uuid: 16 bytes, in the order in which they are written (RFC 9562, 4).
//
//     123e4567-e89b-12d3-a456-426614174000
//     0        9    14   19   24        36
//
// With SSE2, which every x86-64 has, sixteen digits at a time; `portable` by table, elsewhere.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ringpost::proto::pg {

struct Uuid {
  std::array<uint8_t, 16> bytes{};

  auto operator<=>(const Uuid&) const = default;
};

inline constexpr int uuid_text_length = 36;

// 8-4-4-4-12 hexadecimal digits, in either case; nothing else.
std::optional<Uuid> parse_uuid(std::string_view text);

// Writes 36 characters, in lower case; returns where they end.
char* write_uuid(char* at, const Uuid& uuid);

namespace portable {

std::optional<Uuid> parse_uuid(std::string_view text);
char* write_uuid(char* at, const Uuid& uuid);

}  // namespace portable

}  // namespace ringpost::proto::pg
