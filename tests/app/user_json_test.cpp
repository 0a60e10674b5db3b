#include "src/app/user_json.h"

#include <string>

#include <gtest/gtest.h>

namespace ringpost::app {
namespace {

std::string json_of(const User& user) {
  proto::wire::Buffer out;
  proto::json::Writer json(out);
  write_user(json, user);
  json.commit();
  return std::string(out.view());
}

User somebody() {
  return {.id = proto::pg::parse_uuid("123E4567-e89b-12d3-a456-426614174000"),
          .email = "user1@example.com",
          .full_name = "User 1",
          .age = 25,
          .country_code = "US",
          .is_active = true,
          .created_at = proto::pg::Timestamptz{823'161'600'000'000}};
}

TEST(UserJson, IsTheContractsExample) {
  EXPECT_EQ(json_of(somebody()),
            R"({"id":"123e4567-e89b-12d3-a456-426614174000","email":"user1@example.com",)"
            R"("full_name":"User 1","age":25,"country_code":"US","is_active":true,)"
            R"("created_at":"2026-01-31T08:00:00Z"})");
}

TEST(UserJson, EachNullIsNull) {
  EXPECT_EQ(json_of({}),
            R"({"id":null,"email":null,"full_name":null,"age":null,"country_code":null,)"
            R"("is_active":null,"created_at":null})");
  User user = somebody();
  user.email.reset();
  user.is_active = false;
  EXPECT_EQ(json_of(user), R"({"id":"123e4567-e89b-12d3-a456-426614174000","email":null,)"
                           R"("full_name":"User 1","age":25,"country_code":"US","is_active":false,)"
                           R"("created_at":"2026-01-31T08:00:00Z"})");
}

std::string with_name(std::string_view name) {
  return R"({"id":null,"email":null,"full_name":")" + std::string(name) +
         R"(","age":null,"country_code":null,"is_active":null,"created_at":null})";
}

// RFC 8259, 7: what must be escaped is, and nothing else.
TEST(UserJson, TextIsEscapedAsNeededAndNoMore) {
  struct Case {
    std::string_view name, json;
  };
  static constexpr Case cases[] = {
      {"", ""},
      {R"(Ann "the \ one")", R"(Ann \"the \\ one\")"},
      {"a/b<c>&'d'", "a/b<c>&'d'"},
      {"\b\f\n\r\t", R"(\b\f\n\r\t)"},
      {"\x01\x1f\x7f", "\\u0001\\u001f\x7f"},
      {"Zo\xc3\xab", "Zo\xc3\xab"},                              // Zoe with two dots
      {"\xe5\xb1\xb1\xe7\x94\xb0", "\xe5\xb1\xb1\xe7\x94\xb0"},  // CJK
      {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},                  // an emoji
      {"\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d"},  // right to left
      {"\xe2\x80\xa8\xe2\x80\xa9", "\xe2\x80\xa8\xe2\x80\xa9"},                  // U+2028, U+2029
  };
  for (const Case& each : cases) {
    User user;
    user.full_name = each.name;
    EXPECT_EQ(json_of(user), with_name(each.json));
  }
}

TEST(UserJson, CharTwoComesAsItIsPadded) {
  User user;
  user.country_code = "X ";
  EXPECT_EQ(json_of(user),
            R"({"id":null,"email":null,"full_name":null,"age":null,"country_code":"X ",)"
            R"("is_active":null,"created_at":null})");
}

TEST(UserJson, NumbersAndTimesToTheirEnds) {
  struct Case {
    int32_t age;
    int64_t microseconds;
    std::string_view json;
  };
  static constexpr Case cases[] = {
      {0, 0,
       R"("age":0,"country_code":null,"is_active":null,"created_at":"2000-01-01T00:00:00Z"})"},
      {-1, 1,
       R"("age":-1,"country_code":null,"is_active":null,"created_at":"2000-01-01T00:00:00.000001Z"})"},
      {2147483647, 100000,
       R"("age":2147483647,"country_code":null,"is_active":null,"created_at":"2000-01-01T00:00:00.100000Z"})"},
      {-2147483647 - 1, -1,
       R"("age":-2147483648,"country_code":null,"is_active":null,"created_at":"1999-12-31T23:59:59.999999Z"})"},
  };
  for (const Case& each : cases) {
    User user;
    user.age = each.age;
    user.created_at = proto::pg::Timestamptz{each.microseconds};
    EXPECT_EQ(json_of(user),
              R"({"id":null,"email":null,"full_name":null,)" + std::string(each.json));
  }
}

}  // namespace
}  // namespace ringpost::app
