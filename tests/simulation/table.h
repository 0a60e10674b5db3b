// Table: the users that the simulated PostgreSQL holds, and what the API has to answer about them:
// both are composed here, side by side and by hand, so that neither is the program's own work.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::simulation {

class Table {
 public:
  struct User {
    std::string key;     // the id's 16 bytes
    std::string id;      // as text
    std::string json;    // as the API shows it
    std::string values;  // of a DataRow: its seven columns, each behind its length
  };

  explicit Table(size_t users);

  size_t size() const { return users_.size(); }
  const User& user(size_t index) const { return users_[index]; }
  // nullptr when there is none.
  const User* find(std::string_view key) const;

  // The bodies that the API answers.
  std::string page_json(int64_t limit, int64_t offset) const;
  // DataRows of the statements find_user and list_users.
  std::string user_rows(std::string_view key) const;
  std::string page_rows(int64_t limit, int64_t offset) const;

 private:
  std::vector<User> users_;  // ordered by key
};

// A message of the backend, and its parts (PostgreSQL 18 documentation, 54.7).
std::string pg_message(char type, std::string_view body);
std::string pg_int16(int64_t value);
std::string pg_int32(int64_t value);
std::string pg_int64(int64_t value);
std::string pg_value(std::string_view bytes);

}  // namespace ringpost::simulation
