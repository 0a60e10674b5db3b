// A user as JSON by other libraries, each in its fastest honest way: buffers are used again, and
// uuid and timestamp, which they do not know, are written by our own functions first.
#pragma once

#include <string>
#include <string_view>

#include "src/app/users.h"

#ifdef HAVE_RAPIDJSON
#define RINGPOST_HAS_RAPIDJSON 1
#if defined(__SSE2__)
#define RAPIDJSON_SSE2  // its faster way of looking for what must be escaped; off unless asked for
#endif
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#endif
#ifdef HAVE_NLOHMANN_JSON
#define RINGPOST_HAS_NLOHMANN 1
#include <nlohmann/json.hpp>
#endif
#ifdef HAVE_YYJSON
#include <yyjson.h>
#endif
#ifdef HAVE_SIMDJSON
#include <simdjson.h>
#endif
#if defined(SIMDJSON_VERSION_MAJOR) && SIMDJSON_VERSION_MAJOR >= 4
#define RINGPOST_HAS_SIMDJSON_BUILDER 1  // simdjson::builder::string_builder came with version 4
#endif

namespace ringpost::bench {

struct IdText {
  explicit IdText(const app::User& user) { proto::pg::write_uuid(text, *user.id); }
  std::string_view view() const { return {text, sizeof text}; }
  char text[proto::pg::uuid_text_length];
};
struct TimeText {
  explicit TimeText(const app::User& user)
      : end(proto::pg::write_rfc3339(text, *user.created_at)) {}
  std::string_view view() const { return {text, static_cast<size_t>(end - text)}; }
  char text[proto::pg::timestamp_text_length];
  char* end;
};

#if RINGPOST_HAS_RAPIDJSON
using RapidWriter = rapidjson::Writer<rapidjson::StringBuffer>;
inline void write_string(RapidWriter& json, std::string_view text) {
  json.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}
inline void write_user(RapidWriter& json, const app::User& user) {
  json.StartObject();
  json.Key("id", 2);
  write_string(json, IdText(user).view());
  json.Key("email", 5);
  write_string(json, *user.email);
  json.Key("full_name", 9);
  write_string(json, *user.full_name);
  json.Key("age", 3);
  json.Int(*user.age);
  json.Key("country_code", 12);
  write_string(json, *user.country_code);
  json.Key("is_active", 9);
  json.Bool(*user.is_active);
  json.Key("created_at", 10);
  write_string(json, TimeText(user).view());
  json.EndObject();
}
#endif

#if RINGPOST_HAS_NLOHMANN
inline nlohmann::ordered_json make_user(const app::User& user) {
  return {{"id", IdText(user).view()},          {"email", *user.email},
          {"full_name", *user.full_name},       {"age", *user.age},
          {"country_code", *user.country_code}, {"is_active", *user.is_active},
          {"created_at", TimeText(user).view()}};
}
#endif

#if HAVE_YYJSON
// yyjson writes what was built before: values in a pool that is used anew each time, its fastest
// way, and text that is referred to, not copied.
class YyjsonDocument {
 public:
  YyjsonDocument() { begin(); }
  void begin() {
    yyjson_alc_pool_init(&pool_, space_, sizeof space_);
    document_ = yyjson_mut_doc_new(&pool_);
  }
  yyjson_mut_doc* get() const { return document_; }
  std::string_view write() {
    size_t size = 0;
    const char* text = yyjson_mut_write_opts(document_, 0, &pool_, &size, nullptr);
    return {text, text == nullptr ? 0 : size};
  }

 private:
  yyjson_alc pool_;
  yyjson_mut_doc* document_;
  char space_[256 * 1024];
};

// `user`, `id` and `time` outlive what is written of the document.
inline yyjson_mut_val* make_user(yyjson_mut_doc* json, const app::User& user, const IdText& id,
                                 const TimeText& time) {
  yyjson_mut_val* object = yyjson_mut_obj(json);
  const auto add = [&](const char* name, std::string_view text) {
    yyjson_mut_obj_add_strn(json, object, name, text.data(), text.size());
  };
  add("id", id.view());
  add("email", *user.email);
  add("full_name", *user.full_name);
  yyjson_mut_obj_add_int(json, object, "age", *user.age);
  add("country_code", *user.country_code);
  yyjson_mut_obj_add_bool(json, object, "is_active", *user.is_active);
  add("created_at", time.view());
  return object;
}
#endif

#if RINGPOST_HAS_SIMDJSON_BUILDER
inline void write_user(simdjson::builder::string_builder& json, const app::User& user) {
  json.start_object();
  json.append_key_value("id", IdText(user).view());
  json.append_comma();
  json.append_key_value("email", *user.email);
  json.append_comma();
  json.append_key_value("full_name", *user.full_name);
  json.append_comma();
  json.append_key_value("age", *user.age);
  json.append_comma();
  json.append_key_value("country_code", *user.country_code);
  json.append_comma();
  json.append_key_value("is_active", *user.is_active);
  json.append_comma();
  json.append_key_value("created_at", TimeText(user).view());
  json.end_object();
}
#endif

}  // namespace ringpost::bench
