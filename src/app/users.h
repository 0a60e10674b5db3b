// Users in PostgreSQL: their row, and the statements that read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>

#include "proto/pg/statement.h"
#include "proto/pg/timestamptz.h"
#include "proto/pg/uuid.h"

namespace ringpost::app {

// Text is a view of the receive buffer: it lives until the coroutine that read the row suspends.
// All but the id may be NULL: the table's constraints are not this program's to trust.
struct User {
  std::optional<proto::pg::Uuid> id;
  std::optional<std::string_view> email;
  std::optional<std::string_view> full_name;
  std::optional<int32_t> age;
  std::optional<std::string_view> country_code;
  std::optional<bool> is_active;
  std::optional<proto::pg::Timestamptz> created_at;

  static constexpr auto columns =
      std::tuple{&User::id,           &User::email,     &User::full_name, &User::age,
                 &User::country_code, &User::is_active, &User::created_at};
};

inline constexpr auto find_user = proto::pg::read<User(proto::pg::Uuid)>(
    "find_user",
    "select id, email, full_name, age, country_code, is_active, created_at from users where id = "
    "$1");

// A row of a page: a user, and the number of all users, which is the same in each. A page past the
// end is one row without a user: its id is NULL.
struct Listed : User {
  int64_t total;

  static constexpr auto columns = std::tuple_cat(User::columns, std::tuple{&Listed::total});
};

// One statement, so one snapshot for the items and the total. Parameters: limit, offset.
inline constexpr auto list_users = proto::pg::read<Listed(int64_t, int64_t)>(
    "list_users",
    "select page.id, page.email, page.full_name, page.age, page.country_code, page.is_active, "
    "page.created_at, "
    "counted.total from (select count(*) as total from users) as counted left join (select id, "
    "email, full_name, "
    "age, country_code, is_active, created_at from users order by id limit $1 offset $2) as page "
    "on true "
    "order by page.id");

}  // namespace ringpost::app
