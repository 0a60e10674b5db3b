#include "src/service/pattern.h"

#include <vector>

#include <gtest/gtest.h>

namespace ringpost::service {
namespace {

// The segments that have names, each with a semicolon; "no" where the path is another.
template <class Paths>
std::string matched(std::string_view path) {
  typename Paths::Segments segments;
  if (!Paths::match(path, segments)) return "no";
  std::string all;
  for (const std::string_view segment : segments) all.append(segment).append(";");
  return all;
}

TEST(Pattern, WithoutNamesIsThePathItself) {
  using Paths = Pattern<"/users">;
  EXPECT_EQ(matched<Paths>("/users"), "");
  for (const std::string_view path : {"", "/", "/user", "/userss", "/users/", "/Users", "//users"})
    EXPECT_EQ(matched<Paths>(path), "no") << path;
  EXPECT_EQ(matched<Paths>(std::string_view("/users\0", 7)), "no");
  EXPECT_EQ(matched<Pattern<"/">>("/"), "");
  EXPECT_EQ(matched<Pattern<"/">>("/x"), "no");
}

TEST(Pattern, ANameIsOneSegmentThatIsNotEmpty) {
  using Paths = Pattern<"/users/{id}">;
  EXPECT_EQ(matched<Paths>("/users/7"), "7;");
  EXPECT_EQ(matched<Paths>("/users/a b%"), "a b%;");
  EXPECT_EQ(matched<Paths>("/users/.."), "..;");
  for (const std::string_view path : {"/users", "/users/", "/users//", "/users/7/", "/users/7/x"})
    EXPECT_EQ(matched<Paths>(path), "no") << path;
}

TEST(Pattern, MayHaveNamesAnywhere) {
  using Paths = Pattern<"/a/{b}/c/{d}/e">;
  EXPECT_EQ(matched<Paths>("/a/1/c/22/e"), "1;22;");
  for (const std::string_view path :
       {"/a/1/c/22", "/a/1/c/22/", "/a/1/c/22/e/", "/a//c/2/e", "/a/1/c//e", "/a/1/x/2/e",
        "/a/1/1/c/2/e", "/a/1", "/a/", "/"})
    EXPECT_EQ(matched<Paths>(path), "no") << path;
  EXPECT_EQ(matched<Pattern<"/{a}/{b}">>("/x/y"), "x;y;");
  EXPECT_EQ(matched<Pattern<"/{a}">>("/"), "no");
}

TEST(Pattern, KnowsItsNames) {
  using Paths = Pattern<"/a/{first}/c/{second}">;
  EXPECT_EQ(std::vector(Paths::names.begin(), Paths::names.end()),
            (std::vector<std::string_view>{"first", "second"}));
  static_assert(Paths::index_of("second") == 1 && Paths::index_of("third") == 2);
}

TEST(Pattern, IsLikelyByTheBeginningOfTheTarget) {
  EXPECT_TRUE(Pattern<"/users">::likely("/users"));
  EXPECT_TRUE(Pattern<"/users">::likely("/users?limit=1"));
  EXPECT_FALSE(Pattern<"/users">::likely("/users/1"));
  EXPECT_FALSE(Pattern<"/users">::likely("/use"));
  EXPECT_TRUE(Pattern<"/users/{id}">::likely("/users/1"));
  EXPECT_FALSE(Pattern<"/users/{id}">::likely("/users"));
}

TEST(Pattern, ThatIsNoneDoesNotCompile) {
  static_assert(is_pattern("/") && is_pattern("/a/{b}/c") && is_pattern("/{a}"));
  static_assert(!is_pattern("") && !is_pattern("a") && !is_pattern("/a{b}") &&
                !is_pattern("/{a}b") && !is_pattern("/{}") && !is_pattern("/{a") &&
                !is_pattern("/a}") && !is_pattern("/{a{b}") && !is_pattern("/a?b"));
}

}  // namespace
}  // namespace ringpost::service
