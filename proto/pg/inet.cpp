#include "proto/pg/inet.h"

#include <cstring>

#include "proto/wire/bytes.h"

namespace ringpost::proto::pg {

namespace {

bool is_zero_behind(const Inet& inet) {
  for (size_t bit = inet.prefix_length; bit < inet.address_size() * 8; ++bit)
    if ((inet.address[bit / 8] >> (7 - bit % 8) & 1) != 0) return false;
  return true;
}

}  // namespace

bool decode_inet(std::string_view bytes, Inet& inet) {
  wire::Reader reader(bytes);
  const auto family = reader.integer<uint8_t>();
  inet.prefix_length = reader.integer<uint8_t>();
  const auto is_cidr = reader.integer<uint8_t>();
  const auto size = reader.integer<uint8_t>();
  if (!reader.ok() || (family != 2 && family != 3) || is_cidr > 1) return false;
  inet.family = static_cast<Inet::Family>(family);
  inet.is_cidr = is_cidr == 1;
  if (size != inet.address_size() || reader.remaining() != size || inet.prefix_length > size * 8)
    return false;
  inet.address = {};
  std::memcpy(inet.address.data(), reader.bytes(size).data(), size);
  return !inet.is_cidr || is_zero_behind(inet);
}

void encode_inet(char* at, const Inet& inet) {
  at = wire::store_big_endian(at, static_cast<uint8_t>(inet.family));
  at = wire::store_big_endian(at, inet.prefix_length);
  at = wire::store_big_endian(at, static_cast<uint8_t>(inet.is_cidr ? 1 : 0));
  at = wire::store_big_endian(at, static_cast<uint8_t>(inet.address_size()));
  std::memcpy(at, inet.address.data(), inet.address_size());
}

}  // namespace ringpost::proto::pg
