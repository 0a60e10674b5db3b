// inet and cidr: an address of the Internet with the length of its network's prefix, as
// network_send and network_recv have it (src/backend/utils/adt/network.c).
//
//     on the wire:  family (1 byte: 2 IPv4, 3 IPv6)  prefix length (1)  is a cidr (1)
//                   size (1: 4 or 16)  address
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace ringpost::proto::pg {

struct Inet {
  // Numbered as on the wire.
  enum class Family : uint8_t { v4 = 2, v6 = 3 };
  Family family = Family::v4;
  uint8_t prefix_length = 32;  // bits: 0 to 32, or to 128
  // A cidr, whose bits behind the prefix are zero. What is sent is an inet, which PostgreSQL casts.
  bool is_cidr = false;
  std::array<uint8_t, 16> address{};  // in network order; of IPv4 the first four

  size_t address_size() const { return family == Family::v4 ? 4 : 16; }
  bool operator==(const Inet&) const = default;
};

bool decode_inet(std::string_view bytes, Inet& inet);
void encode_inet(char* at, const Inet& inet);

}  // namespace ringpost::proto::pg
