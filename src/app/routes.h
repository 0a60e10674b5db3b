// Routes: the users API. Which request means what, and what it is answered.
#pragma once

#include <array>
#include <cstdint>
#include <tuple>

#include "src/app/users.h"
#include "src/service/route.h"
#include "src/service/service.h"

namespace ringpost::app {

class Routes final : public service::Service {
 public:
  static constexpr service::About about{
      .name = "ringpost",
      .version = RINGPOST_VERSION,
      .description = "a users API served from PostgreSQL by io_uring, one shard per core.",
      .title = "Users",
      .api_version = "1.0.0",
      .api_description = "A read-heavy API of users, served from PostgreSQL.",
      .license = "MIT"};
  static constexpr std::array<const proto::pg::StatementDescription*, 2> statements{&find_user,
                                                                                    &list_users};
  static const std::array<service::Schema, 2> schemas;

  using Service::Service;

  io::Task<void> get_user(proto::pg::Uuid user_id, http::Reply reply);
  size_t user_bytes() const { return user_bytes_; }

  io::Task<void> get_page(int64_t most, int64_t passed_over, http::Reply reply);
  size_t page_bytes(int64_t most) const {
    return static_cast<size_t>(most) * user_bytes_ + service::small_answer;
  }

 private:
  size_t user_bytes_ = 512;  // what a user takes in JSON: the largest average of a page lately

  static constexpr auto id =
      service::in_path<"id">(service::Uuid{}, "Hexadecimal digits of either case, 8-4-4-4-12.",
                             "123e4567-e89b-12d3-a456-426614174000");
  static constexpr auto limit =
      service::in_query<"limit">(service::Integer{.least = 1, .most = 200, .otherwise = 50},
                                 "How many users at most. Given once, in decimal digits.");
  static constexpr auto offset =
      service::in_query<"offset">(service::Integer{.otherwise = 0},
                                  "How many users to pass over. Given once, in decimal digits.");

 public:
  static constexpr auto routes =
      std::tuple{service::get<"/users/{id}", &Routes::get_user, &Routes::user_bytes>(
                     {.id = "getUser",
                      .summary = "One user",
                      .answers = {{{proto::http::Status::ok, "The user.", "User"},
                                   {proto::http::Status::not_found, "There is none."}}}},
                     id),
                 service::get<"/users", &Routes::get_page, &Routes::page_bytes>(
                     {.id = "listUsers",
                      .summary = "A page of users, in the order of their ids",
                      .answers = {{{proto::http::Status::ok, "The page.", "Page"}}}},
                     limit, offset)};
};

}  // namespace ringpost::app
