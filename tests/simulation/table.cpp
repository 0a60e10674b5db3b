#include "tests/simulation/table.h"

#include <algorithm>
#include <cstdio>

#include "tests/simulation/random.h"

namespace ringpost::simulation {

namespace {

std::string big_endian(int64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i)
    text += static_cast<char>(static_cast<uint64_t>(value) >> (8 * i));
  return text;
}

// What a name may hold that needs care: in PostgreSQL, and in JSON.
struct Name {
  const char* stored;
  const char* json;
};
constexpr Name names[] = {
    {"Ada Lovelace", "Ada Lovelace"},
    {"O'Brien \"Bob\"", R"(O'Brien \"Bob\")"},
    {"back\\slash", R"(back\\slash)"},
    {"tab\there", R"(tab\there)"},
    {"bell\x07", R"(bell\u0007)"},
    {"line\nfeed", R"(line\nfeed)"},
    {"Zo\xc3\xab", "Zo\xc3\xab"},
    {"\xe5\xb1\xb1\xe7\x94\xb0", "\xe5\xb1\xb1\xe7\x94\xb0"},
    {"\xf0\x9f\x90\x98 elephant", "\xf0\x9f\x90\x98 elephant"},
    {"", ""},
};

std::string as_uuid(std::string_view key) {
  std::string text;
  for (size_t i = 0; i < key.size(); ++i) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned char>(key[i]));
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += digits;
  }
  return text;
}

// Days from 2000-01-01, PostgreSQL's epoch, to 2026-01-31: 26 years with 7 leap days, and 30 days.
constexpr int64_t days = 26 * 365 + 7 + 30;

Table::User make_user(size_t index, Random& random) {
  Table::User user;
  for (int i = 0; i < 16; ++i) user.key += static_cast<char>(random.next());
  user.id = as_uuid(user.key);
  const Name& name = names[index % std::size(names)];
  const std::string email = "user" + std::to_string(index) + "@example.com";
  const auto age = static_cast<int>(18 + index % 60);
  const bool active = index % 3 != 0;
  const auto second = static_cast<int64_t>(index % 86'400);
  const int64_t fraction = index % 4 == 0 ? 123'456 : index % 4 == 1 ? 500'000 : 0;
  char time[48];
  int length =
      std::snprintf(time, sizeof time, "2026-01-31T%02d:%02d:%02d", static_cast<int>(second / 3600),
                    static_cast<int>(second / 60 % 60), static_cast<int>(second % 60));
  if (fraction != 0)
    std::snprintf(time + length, sizeof time - static_cast<size_t>(length), ".%06dZ",
                  static_cast<int>(fraction));
  else
    std::snprintf(time + length, sizeof time - static_cast<size_t>(length), "Z");
  user.json = R"({"id":")" + user.id + R"(","email":")" + email + R"(","full_name":")" + name.json +
              R"(","age":)" + std::to_string(age) + R"(,"country_code":"US","is_active":)" +
              (active ? "true" : "false") + R"(,"created_at":")" + time + "\"}";
  user.values = pg_value(user.key) + pg_value(email) + pg_value(name.stored) +
                pg_value(pg_int32(age)) + pg_value("US") +
                pg_value(std::string_view(active ? "\1" : "\0", 1)) +
                pg_value(pg_int64((days * 86'400 + second) * 1'000'000 + fraction));
  return user;
}

}  // namespace

std::string pg_int16(int64_t value) {
  return big_endian(value, 2);
}
std::string pg_int32(int64_t value) {
  return big_endian(value, 4);
}
std::string pg_int64(int64_t value) {
  return big_endian(value, 8);
}
std::string pg_value(std::string_view bytes) {
  return pg_int32(static_cast<int64_t>(bytes.size())).append(bytes);
}
std::string pg_message(char type, std::string_view body) {
  return type + pg_int32(static_cast<int64_t>(body.size()) + 4).append(body);
}

Table::Table(size_t users) {
  Random random(users);
  for (size_t i = 0; i < users; ++i) users_.push_back(make_user(i, random));
  std::sort(users_.begin(), users_.end(),
            [](const User& a, const User& b) { return a.key < b.key; });
}

const Table::User* Table::find(std::string_view key) const {
  const auto at =
      std::lower_bound(users_.begin(), users_.end(), key,
                       [](const User& user, std::string_view k) { return user.key < k; });
  return at != users_.end() && at->key == key ? &*at : nullptr;
}

std::string Table::page_json(int64_t limit, int64_t offset) const {
  std::string json = "{\"items\":[";
  const auto count = static_cast<int64_t>(size());
  for (int64_t i = offset; i < count && i - offset < limit; ++i) {
    if (i != offset) json += ',';
    json += user(static_cast<size_t>(i)).json;
  }
  return json + "],\"limit\":" + std::to_string(limit) + ",\"offset\":" + std::to_string(offset) +
         ",\"total\":" + std::to_string(count) + "}";
}

std::string Table::user_rows(std::string_view key) const {
  const User* found = find(key);
  return found == nullptr ? "" : pg_message('D', pg_int16(7) + found->values);
}

// A page past the end is one row without a user.
std::string Table::page_rows(int64_t limit, int64_t offset) const {
  const auto count = static_cast<int64_t>(size());
  const std::string total = pg_value(pg_int64(count));
  std::string rows;
  for (int64_t i = offset; i < count && i - offset < limit; ++i)
    rows += pg_message('D', pg_int16(8) + user(static_cast<size_t>(i)).values + total);
  if (!rows.empty()) return rows;
  std::string nulls;
  for (int i = 0; i < 7; ++i) nulls += pg_int32(-1);
  return pg_message('D', pg_int16(8) + nulls + total);
}

}  // namespace ringpost::simulation
