// The document of a small service, byte for byte.
#include "src/service/openapi.h"

#include <gtest/gtest.h>

#include "src/service/run.h"

namespace ringpost::service {
namespace {

using proto::http::Status;

constexpr auto code =
    in_path<"code">(Text{.most_bytes = 4, .characters = "0-9"}, "Which \"one\".", "12");
constexpr auto many = in_query<"many">(Integer{.least = 1, .most = 5, .otherwise = 1});

class Small final : public Service {
 public:
  static constexpr service::About about{.name = "small",
                                        .version = "1",
                                        .description = "small.",
                                        .title = "Small",
                                        .api_version = "3",
                                        .api_description = "It is.",
                                        .license = "MIT"};
  [[maybe_unused]] static constexpr std::array<const proto::pg::StatementDescription*, 0>
      statements{};
  using Service::Service;
  io::Task<void> show(std::string, int64_t, http::Reply) { co_return; }
  void clear(std::string, http::Reply) {}

  static constexpr auto routes = std::tuple{
      get<"/{code}", &Small::show>({.id = "show",
                                    .summary = "One",
                                    .answers = {{{Status::ok, "It.", R"({"type":"object"})"},
                                                 {Status::not_found, "None."}}}},
                                   code, many),
      remove<"/{code}", &Small::clear>(
          {.id = "clear", .summary = "Ends it", .answers = {{{Status::no_content, "Done."}}}},
          code)};
};

TEST(Openapi, FollowsFromTheRoutes) {
  const std::string document = openapi<Small>();
  EXPECT_TRUE(document.starts_with(
      R"({"openapi":"3.1.0","info":{"title":"Small","version":"3","license":{"name":"MIT",)"
      R"("identifier":"MIT"},"description":"It is."},"servers":[{"url":"/"}],"paths":{"/{code}":{)"
      R"("parameters":[{"$ref":"#/components/parameters/code"}],"get":{"operationId":"show",)"
      R"("summary":"One","parameters":[{"$ref":"#/components/parameters/many"}],"responses":{)"
      R"("200":{"description":"It.","content":{"application/json":{"schema":{"type":"object"}}}},)"
      R"("400":{"$ref":"#/components/responses/BadRequest"},)"
      R"("404":{"description":"None.","content":{"application/json":{"schema":{)"
      R"("$ref":"#/components/schemas/Error"}}}},)"
      R"("500":{"$ref":"#/components/responses/Internal"},)"
      R"("503":{"$ref":"#/components/responses/Unavailable"},)"
      R"("default":{"$ref":"#/components/responses/Refused"}}},)"
      R"("head":{"operationId":"showHead","summary":"The same, without its body",)"
      R"("parameters":[{"$ref":"#/components/parameters/many"}],"responses":{)"
      R"("200":{"description":"It."},)"))
      << document;
  EXPECT_TRUE(document.contains(
      R"("delete":{"operationId":"clear","summary":"Ends it","responses":{)"
      R"("204":{"description":"Done."},"400":{"$ref":"#/components/responses/BadRequest"},)"
      R"("default":{"$ref":"#/components/responses/Refused"}}}},"/healthz":{)"))
      << document;
  EXPECT_TRUE(document.contains(
      R"("parameters":{"code":{"name":"code","in":"path","required":true,)"
      R"("description":"Which \"one\".","schema":{"type":"string","minLength":1,"maxLength":4,)"
      R"("pattern":"^[0-9]*$"},"example":"12"},"many":{"name":"many","in":"query",)"
      R"("schema":{"type":"integer","format":"int64","minimum":1,"maximum":5,"default":1}}})"))
      << document;
}

}  // namespace
}  // namespace ringpost::service
