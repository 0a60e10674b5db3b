#include "src/app/routes.h"

#include <algorithm>
#include <utility>

#include "src/app/user_json.h"

namespace ringpost::app {

using proto::http::Status;

namespace {

// Appends a page of these rows, about `expected` bytes; returns how many users it has.
size_t write_page(proto::wire::Buffer& out, size_t expected, proto::pg::Rows<Listed>& rows,
                  int64_t limit, int64_t offset) {
  proto::json::Writer json(out, expected);
  json.raw("{\"items\":[");
  int64_t total = 0;
  size_t items = 0;
  while (const std::optional<Listed> listed = rows.next()) {
    total = listed->total;
    if (!listed->id) continue;
    if (items++ != 0) json.raw(",");
    write_user(json, *listed);
  }
  json.raw("],\"limit\":")
      .number(limit)
      .raw(",\"offset\":")
      .number(offset)
      .raw(",\"total\":")
      .number(total)
      .raw("}");
  return items;
}

}  // namespace

io::Task<void> Routes::get_user(proto::pg::Uuid user_id, http::Reply reply) {
  auto query = pool().query(find_user, until(reply), user_id);
  auto rows = co_await query;
  if (!rows) co_return refuse(rows.error(), find_user, std::move(reply));
  const std::optional<User> user = rows->next();
  if (!user) {
    if (rows->malformed())
      co_return refuse(pg::undecodable(find_user), find_user, std::move(reply));
    co_return service::send_not_found(reply);
  }
  const auto draft = reply.begin(Status::ok, service::json_type, user_bytes_);
  {
    proto::json::Writer json(*draft.out);
    write_user(json, *user);
  }
  end_rows(find_user, false, draft, reply);
}

io::Task<void> Routes::get_page(int64_t most, int64_t passed_over, http::Reply reply) {
  auto query = pool().query(list_users, until(reply), most, passed_over);
  auto rows = co_await query;
  if (!rows) co_return refuse(rows.error(), list_users, std::move(reply));
  const size_t expected = page_bytes(most);
  const auto draft = reply.begin(Status::ok, service::json_type, expected);
  const size_t items = write_page(*draft.out, expected, *rows, most, passed_over);
  if (items != 0)
    user_bytes_ = std::max(draft.body().size() / items, user_bytes_ - user_bytes_ / 64);
  end_rows(list_users, rows->malformed(), draft, reply);
}

// What they say of a user and of a page; a test compares answers with them.
constexpr std::array<service::Schema, 2> Routes::schemas{{
    {"User", R"json({"type":"object","additionalProperties":false,
"required":["id","email","full_name","age","country_code","is_active","created_at"],
"properties":{
"id":{"type":"string","format":"uuid"},
"email":{"type":["string","null"]},
"full_name":{"type":["string","null"]},
"age":{"type":["integer","null"],"format":"int32"},
"country_code":{"type":["string","null"],"description":"As PostgreSQL pads a char(2)."},
"is_active":{"type":["boolean","null"]},
"created_at":{"type":["string","null"],"description":"RFC 3339 in UTC; outside of the years 0001 to 9999 with a sign and six digits; or infinity, -infinity."}},
"examples":[{"id":"123e4567-e89b-12d3-a456-426614174000","email":"user1@example.com","full_name":"User 1","age":25,"country_code":"US","is_active":true,"created_at":"2026-01-31T08:00:00Z"}]})json"},
    {"Page",
     R"json({"type":"object","additionalProperties":false,"required":["items","limit","offset","total"],
"properties":{
"items":{"type":"array","items":{"$ref":"#/components/schemas/User"}},
"limit":{"type":"integer"},"offset":{"type":"integer"},
"total":{"type":"integer","description":"Of all users, at the moment of the items."}}})json"},
}};

}  // namespace ringpost::app
