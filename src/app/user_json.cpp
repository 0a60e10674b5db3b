#include "src/app/user_json.h"

#include "proto/json/pg_formats.h"

namespace ringpost::app {

using proto::json::field;

void write_user(proto::json::Writer& json, const User& user) {
  json.object(field<"id">(user.id), field<"email">(user.email), field<"full_name">(user.full_name),
              field<"age">(user.age), field<"country_code">(user.country_code),
              field<"is_active">(user.is_active), field<"created_at">(user.created_at));
}

}  // namespace ringpost::app
