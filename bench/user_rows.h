// Users for the benches of JSON: mostly plain names, some with what must be escaped or is not
// ASCII, half with a fraction of a second.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "src/app/users.h"

namespace ringpost::bench {

inline std::vector<app::User> make_users(size_t count) {
  constexpr std::array<std::string_view, 10> names{
      "Ada Lovelace", "User 4711",          "Grace Hopper", "José Núñez",      "Edsger Dijkstra",
      "山田 太郎",    "Zoë \"Zed\" O'Neil", "User 123456",  "Back\\slash Bob", "Barbara Liskov 😀"};
  constexpr std::array<std::string_view, 4> emails{"user1@example.com", "user4711@example.com",
                                                   "someone.longer@example.com",
                                                   "user123456@example.com"};
  std::vector<app::User> users;
  for (size_t i = 0; i < count; ++i) {
    proto::pg::Uuid id;
    for (size_t j = 0; j < 16; ++j) id.bytes[j] = static_cast<uint8_t>(i * 31 + j * 17 + (i >> 3));
    users.push_back({.id = id,
                     .email = emails[i % emails.size()],
                     .full_name = names[i % names.size()],
                     .age = static_cast<int32_t>(18 + i % 70),
                     .country_code = i % 2 == 0 ? "US" : "DE",
                     .is_active = i % 3 != 0,
                     .created_at = proto::pg::Timestamptz{823'161'600'000'000 +
                                                          static_cast<int64_t>(i) * 61'000'000 +
                                                          (i % 2 == 0 ? 0 : 123'456)}});
  }
  return users;
}

}  // namespace ringpost::bench
