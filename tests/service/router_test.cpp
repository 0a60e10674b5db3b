// A service by its table: which requests reach which handler, with what, and what the others are
// answered.
#include "src/service/router.h"

#include <gtest/gtest.h>

#include "tests/service/served.h"

namespace ringpost::service {
namespace {

using io::Task;
using proto::http::Status;
using tests::answer_of, tests::answer_to, tests::json_answer, tests::talk_to;

constexpr auto room = in_path<"room">(Integer{.least = 1, .most = 99}, "Its number.");
constexpr auto name = in_path<"name">(Text{.most_bytes = 8});
constexpr auto many = in_query<"many">(Integer{.least = 1, .most = 5, .otherwise = 1});
constexpr auto word = in_query<"word">(Text{.most_bytes = 5});

class Rooms final : public Service {
 public:
  static constexpr service::About about{.name = "rooms",
                                        .version = "1",
                                        .description = "rooms.",
                                        .database = false,
                                        .title = "Rooms",
                                        .api_version = "2",
                                        .api_description = "Of a \"house\"."};
  using Service::Service;

  void list(int64_t count, std::string said, http::Reply reply) {
    reply.send(Status::ok, "text/plain", std::to_string(count) + " " + said);
  }
  size_t list_bytes(int64_t count) const { return static_cast<size_t>(count) * 100; }
  Task<void> show(int64_t number, http::Reply reply) {
    co_await io::Sleep(reactor(), std::chrono::milliseconds(1), nullptr);
    reply.send(Status::ok, "text/plain", "room " + std::to_string(number));
  }
  void enter(const proto::http::Request& request, std::string who, int64_t number,
             http::Reply reply) {
    reply.send(Status::ok, "text/plain",
               std::string(request.method) + " " + who + " " + std::to_string(number));
  }
  void leave(std::string who, http::Reply reply) { reply.send(Status::no_content, "", "", who); }

  static constexpr auto routes = std::tuple{
      get<"/rooms", &Rooms::list, &Rooms::list_bytes>(
          {.id = "list",
           .summary = "All",
           .answers = {{{Status::ok, "Text.", "Text", "text/plain"}}}},
          many, word),
      get<"/rooms/{room}", &Rooms::show>({.id = "show", .summary = "One"}, room),
      put<"/rooms/{room}/{name}", &Rooms::enter>({.id = "enter", .summary = "Goes in"}, name, room),
      remove<"/rooms/{room}", &Rooms::show>({.id = "clear", .summary = "Empties it"}, room),
      options<"/rooms/{room}">(room)};
  static constexpr std::array<Schema, 1> schemas{{{"Text", R"({"type":"string"})"}}};
};

constexpr std::string_view text = "text/plain";

TEST(Router, GivesAHandlerItsParameters) {
  EXPECT_EQ(answer_to<Rooms>("GET /rooms?word=abc"), answer_of("200 OK", text, "1 abc"));
  EXPECT_EQ(answer_to<Rooms>("GET /rooms?word=%41&many=5&other"), answer_of("200 OK", text, "5 A"));
  EXPECT_EQ(answer_to<Rooms>("GET http://a/rooms?word=abc"), answer_of("200 OK", text, "1 abc"));
  EXPECT_EQ(answer_to<Rooms>("GET /rooms/12"), answer_of("200 OK", text, "room 12"));
  EXPECT_EQ(answer_to<Rooms>("DELETE /rooms/12"), answer_of("200 OK", text, "room 12"));
  // In the order of the declaration, whatever that of the path.
  EXPECT_EQ(answer_to<Rooms>("PUT /rooms/%37/Ann"), answer_of("200 OK", text, "PUT Ann 7"));
}

TEST(Router, TheFirstWrongParameterIsNamed) {
  EXPECT_EQ(answer_to<Rooms>("GET /rooms?many=0"),
            json_answer("400 Bad Request", R"({"error":"invalid_many"})"));
  EXPECT_EQ(answer_to<Rooms>("GET /rooms"),
            json_answer("400 Bad Request", R"({"error":"invalid_word"})"));
  EXPECT_EQ(answer_to<Rooms>("PUT /rooms/0/longer-than-8"),
            json_answer("400 Bad Request", R"({"error":"invalid_name"})"));
  EXPECT_EQ(answer_to<Rooms>("PUT /rooms/0/Ann"),
            json_answer("400 Bad Request", R"({"error":"invalid_room"})"));
  EXPECT_EQ(answer_to<Rooms>("GET /rooms/1%"),
            json_answer("400 Bad Request", R"({"error":"invalid_escape"})"));
}

TEST(Router, HeadIsGetWithoutItsBody) {
  EXPECT_EQ(answer_to<Rooms>("HEAD /rooms/12"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\n");
  EXPECT_EQ(answer_to<Rooms>("HEAD /rooms/12/Ann").substr(0, 22), "HTTP/1.1 405 Method No");
}

TEST(Router, AnotherMethodIsToldWhichThereAre) {
  constexpr std::string_view body = R"({"error":"method_not_allowed"})";
  EXPECT_EQ(answer_to<Rooms>("POST /rooms"),
            json_answer("405 Method Not Allowed", body, "Allow: GET, HEAD\r\n"));
  EXPECT_EQ(answer_to<Rooms>("OPTIONS /rooms"),
            json_answer("405 Method Not Allowed", body, "Allow: GET, HEAD\r\n"));
  EXPECT_EQ(answer_to<Rooms>("PATCH /rooms/x"),
            json_answer("405 Method Not Allowed", body, "Allow: GET, HEAD, DELETE, OPTIONS\r\n"));
  EXPECT_EQ(answer_to<Rooms>("GET /rooms/1/Ann"),
            json_answer("405 Method Not Allowed", body, "Allow: PUT\r\n"));
}

TEST(Router, OptionsAreThereWhereARouteSaysSo) {
  EXPECT_EQ(answer_to<Rooms>("OPTIONS /rooms/1"),
            "HTTP/1.1 204 No Content\r\nAllow: GET, HEAD, DELETE, OPTIONS\r\n\r\n");
}

TEST(Router, OptionsOfTheServerAreTheMethodsOfAllRoutes) {
  EXPECT_EQ(answer_to<Rooms>("OPTIONS *"),
            "HTTP/1.1 204 No Content\r\nAllow: GET, HEAD, PUT, DELETE, OPTIONS\r\n\r\n");
}

TEST(Router, AnotherPathIsNotFound) {
  for (const std::string_view line :
       {"GET /", "POST /room", "GET /rooms/", "PUT /rooms/1/", "PUT /rooms/1/2/3"})
    EXPECT_EQ(answer_to<Rooms>(line), json_answer("404 Not Found", R"({"error":"not_found"})"))
        << line;
}

TEST(Router, EveryServiceHasTheCommonRoutes) {
  EXPECT_EQ(answer_to<Rooms>("GET /healthz"), json_answer("200 OK", R"({"status":"ok"})"));
  EXPECT_EQ(answer_to<Rooms>("GET /readyz"), json_answer("200 OK", R"({"status":"ok"})"));
  EXPECT_EQ(answer_to<Rooms>("GET /metrics"),
            answer_of("200 OK", "text/plain; version=0.0.4; charset=utf-8", "counted\n"));
  EXPECT_EQ(answer_to<Rooms>("GET /openapi.json"), json_answer("200 OK", openapi<Rooms>()));
}

TEST(Router, PatternsAreNumberedOnceEach) {
  const std::vector<std::string_view> expected{
      "/rooms",  "/rooms/{room}", "/rooms/{room}/{name}", "/healthz",
      "/readyz", "/metrics",      "/openapi.json"};
  EXPECT_EQ(std::vector(Table<Rooms>::patterns.begin(), Table<Rooms>::patterns.end()), expected);
}

TEST(Router, EstimatesWhatAnAnswerMayTake) {
  io::Reactor reactor;
  const bool leaving = false;
  const auto handler = AppOf<Rooms>().make_handler({.reactor = reactor,
                                                    .pool = nullptr,
                                                    .request_timeout = {},
                                                    .ready_timeout = {},
                                                    .metrics = {},
                                                    .leaving = leaving});
  const auto bytes = [&](std::string_view target,
                         proto::http::Method method = proto::http::Method::get) {
    proto::http::Request request;
    request.target = target;
    request.known_method = method;
    return handler->answer_bytes(request);
  };
  EXPECT_EQ(bytes("/rooms?many=5"), 500u);
  EXPECT_EQ(bytes("/rooms"), 100u);
  EXPECT_EQ(bytes("/rooms?many=6"), small_answer);
  EXPECT_EQ(bytes("/rooms?many=5", proto::http::Method::post), small_answer);
  EXPECT_EQ(bytes("/rooms/1"), small_answer);
  EXPECT_EQ(bytes("/nowhere?many=5"), small_answer);
  EXPECT_EQ(bytes("/metrics"), 64u * 1024);
}

}  // namespace
}  // namespace ringpost::service
