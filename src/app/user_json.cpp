#include "src/app/user_json.h"

namespace ringpost::app {

namespace {

using proto::json::Writer;

void write(Writer& json, std::string_view value) {
  json.string(value);
}
void write(Writer& json, int32_t value) {
  json.number(value);
}
void write(Writer& json, bool value) {
  json.boolean(value);
}
void write(Writer& json, const proto::pg::Uuid& value) {
  json.quoted(proto::pg::uuid_text_length,
              [&](char* at) { return proto::pg::write_uuid(at, value); });
}
void write(Writer& json, proto::pg::Timestamptz value) {
  json.quoted(proto::pg::timestamp_text_length,
              [&](char* at) { return proto::pg::write_rfc3339(at, value); });
}
template <class T>
void write(Writer& json, const std::optional<T>& value) {
  if (value)
    write(json, *value);
  else
    json.null();
}

}  // namespace

void write_user(Writer& json, const User& user) {
  json.raw("{\"id\":");
  write(json, user.id);
  json.raw(",\"email\":");
  write(json, user.email);
  json.raw(",\"full_name\":");
  write(json, user.full_name);
  json.raw(",\"age\":");
  write(json, user.age);
  json.raw(",\"country_code\":");
  write(json, user.country_code);
  json.raw(",\"is_active\":");
  write(json, user.is_active);
  json.raw(",\"created_at\":");
  write(json, user.created_at);
  json.raw("}");
}

}  // namespace ringpost::app
