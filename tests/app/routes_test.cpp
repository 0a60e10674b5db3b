// What the API answers without its database: what a request means, and that the database can't be
// asked. The bodies are those of the contract.
#include "src/app/routes.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/app/api.h"

namespace ringpost::app {
namespace {

using namespace std::chrono_literals;
using io::Task;

// Where nobody listens.
proto::pg::Host nowhere() {
  const int listening = io::listen_tcp(*io::Address::numeric("127.0.0.1", 0), 1).value();
  const std::string text = tests::bound_to(listening).text();
  ::close(listening);
  return {.name = "127.0.0.1",
          .address = "127.0.0.1",
          .port = static_cast<uint16_t>(std::stoi(text.substr(text.find(':') + 1)))};
}

Task<void> ask(io::Reactor& reactor, const std::vector<std::string>& requests,
               std::vector<std::string>& answers) {
  Api api(reactor, options_for(nowhere()));
  tests::HttpClient client = api.client();
  for (const std::string& each : requests) client.send(each);
  for (const std::string& each : requests)
    answers.push_back(co_await client.answer(each.starts_with("HEAD ")));
  co_await client.close();
  co_await api.stop();
}

// The answers to requests that are sent at once.
std::vector<std::string> answers_to(const std::vector<std::string>& requests) {
  std::vector<std::string> answers;
  io::Reactor reactor;
  reactor.run(ask(reactor, requests, answers));
  return answers;
}

constexpr std::string_view fine =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n"
    "{\"status\":\"ok\"}";
constexpr std::string_view not_found =
    "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n"
    "{\"error\":\"not_found\"}";
constexpr std::string_view not_allowed =
    "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: application/json\r\nContent-Length: 30\r\n"
    "Allow: GET, HEAD\r\n\r\n{\"error\":\"method_not_allowed\"}";
constexpr std::string_view unavailable =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 23\r\n"
    "Retry-After: 1\r\n\r\n{\"error\":\"unavailable\"}";
constexpr std::string_view invalid_escape =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 26\r\n\r\n"
    "{\"error\":\"invalid_escape\"}";
constexpr std::string_view invalid_id =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 22\r\n\r\n"
    "{\"error\":\"invalid_id\"}";
constexpr std::string_view invalid_limit =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 25\r\n\r\n"
    "{\"error\":\"invalid_limit\"}";
constexpr std::string_view invalid_offset =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 26\r\n\r\n"
    "{\"error\":\"invalid_offset\"}";

void expect_all(const std::vector<std::string_view>& lines, std::string_view answer) {
  std::vector<std::string> requests;
  for (const std::string_view line : lines) requests.push_back(request(line));
  const std::vector<std::string> answers = answers_to(requests);
  for (size_t i = 0; i < lines.size(); ++i) EXPECT_EQ(answers[i], answer) << lines[i];
}

TEST(Routes, HealthNeverAsksTheDatabase) {
  expect_all({"GET /healthz", "GET /healthz?x=1&x=2", "GET /healthz?", "GET /%68ealthz",
              "GET http://a/healthz", "GET http://other:80/healthz?x"},
             fine);
}

TEST(Routes, HeadHasTheHeadOfItsGet) {
  const std::vector<std::string> answers =
      answers_to({request("HEAD /healthz"), request("HEAD /nowhere"), request("HEAD /users/x"),
                  request("HEAD /users?limit=0"), request("HEAD /users"), request("HEAD /readyz")});
  const std::string_view whole[] = {fine,          not_found,   invalid_id,
                                    invalid_limit, unavailable, unavailable};
  for (size_t i = 0; i < answers.size(); ++i)
    EXPECT_EQ(answers[i], whole[i].substr(0, whole[i].find("\r\n\r\n") + 4));
}

TEST(Routes, AnotherPathIsNotFoundWhateverTheMethod) {
  expect_all({"GET /",
              "GET http://a",
              "POST /",
              "DELETE /nowhere",
              "GET /healthz/",
              "GET /Healthz",
              "GET /health",
              "GET /healthzz",
              "GET //healthz",
              "GET /users/",
              "GET /users//",
              "GET /users/a/b",
              "GET /users/123e4567-e89b-12d3-a456-426614174000/",
              "GET /users/./a",
              "GET /users/../healthz",
              "GET /users%2fa%2fb",
              "GET /user",
              "GET /userss",
              "GET /healthz%3fx",
              "GET /healthz%00"},
             not_found);
}

TEST(Routes, AnotherMethodIsNotAllowed) {
  expect_all(
      {"POST /healthz", "PUT /readyz", "DELETE /users", "OPTIONS /users", "get /users",
       "PATCH /users/123e4567-e89b-12d3-a456-426614174000", "POST /users/x", "BREW /users?limit=0"},
      not_allowed);
}

io::Task<void> expect_at_once(io::Reactor& reactor, std::string_view line,
                              std::string_view status) {
  Api api(reactor, options_for(nowhere()));
  tests::HttpClient client = api.client();
  client.send(std::string(line) +
              " HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  const std::string answer = co_await client.answer();
  EXPECT_TRUE(answer.starts_with(status)) << line << ": " << answer;
  const bool final = !status.ends_with(" 100 ");
  EXPECT_EQ(answer.contains("\r\nConnection: close\r\n"), final) << line;
  if (!final) {
    client.send("xy");
    EXPECT_EQ(co_await client.answer(), fine) << line;
  }
  co_await client.close();
  co_await api.stop();
}

// What is refused whatever the body says is refused before it is sent.
TEST(Routes, ABodyIsNotAskedForWhenTheAnswerIsKnown) {
  constexpr std::pair<std::string_view, std::string_view> cases[] = {
      {"POST /nowhere", "HTTP/1.1 404 "}, {"GET /nowhere", "HTTP/1.1 404 "},
      {"POST /users/", "HTTP/1.1 404 "},  {"POST /users", "HTTP/1.1 405 "},
      {"PUT /users/x", "HTTP/1.1 405 "},  {"DELETE /%68ealthz", "HTTP/1.1 405 "},
      {"POST /users?%", "HTTP/1.1 400 "}, {"GET /%68ealthz", "HTTP/1.1 100 "},
  };
  for (const auto& [line, status] : cases) {
    io::Reactor reactor;
    reactor.run(expect_at_once(reactor, line, status));
  }
}

TEST(Routes, AMalformedEscapeIsABadRequest) {
  expect_all({"GET /%", "GET /users/%zz", "GET /users/%1", "GET /nowhere%", "GET /users?limit=%",
              "GET /users?x=%g0", "GET /healthz?%", "POST /users?%0x"},
             invalid_escape);
}

TEST(Routes, AnIdIsAUuidInItsOneForm) {
  expect_all({"GET /users/1", "GET /users/x", "GET /users/123e4567e89b12d3a456426614174000",
              "GET /users/123e4567-e89b-12d3-a456-42661417400",
              "GET /users/123e4567-e89b-12d3-a456-4266141740000",
              "GET /users/123e4567-e89b-12d3-a456-42661417400g",
              "GET /users/123e456-7e89b-12d3-a456-426614174000",
              "GET /users/123e4567-e89b-12d3-a456_426614174000",
              "GET /users/%7b123e4567-e89b-12d3-a456-426614174000%7d",
              "GET /users/%20123e4567-e89b-12d3-a456-426614174000",
              "GET /users/123e4567-e89b-12d3-a456-426614174000%00", "GET /users/%c3%a9",
              "GET /users%2fx", "GET /users/.."},
             invalid_id);
}

TEST(Routes, ALimitIsANumberFrom1To200) {
  expect_all({"GET /users?limit=0",
              "GET /users?limit=201",
              "GET /users?limit=000",
              "GET /users?limit=",
              "GET /users?limit",
              "GET /users?limit=-1",
              "GET /users?limit=+1",
              "GET /users?limit=%2B1",
              "GET /users?limit=1.0",
              "GET /users?limit=1e2",
              "GET /users?limit=0x1",
              "GET /users?limit=%201",
              "GET /users?limit=1%20",
              "GET /users?limit=1+",
              "GET /users?limit=ten",
              "GET /users?limit=%00",
              "GET /users?limit=18446744073709551617",
              "GET /users?limit=99999999999999999999999999999999",
              "GET /users?limit=5&limit=5",
              "GET /users?limit=5&offset=1&l%69mit=5",
              "GET /users?limit=5&limit",
              "GET /users?limit=1;offset=0",
              "GET /users?l%69mit=0",
              "GET /users?limit=%30",
              "GET /users?limit==1",
              "GET /users?limit=0&offset=x",
              "GET /users?offset=x&limit=0"},
             invalid_limit);
}

TEST(Routes, AnOffsetIsANumberThatABigintHolds) {
  expect_all({"GET /users?offset=-1", "GET /users?offset=", "GET /users?offset",
              "GET /users?offset=9223372036854775808", "GET /users?offset=18446744073709551616",
              "GET /users?offset=1.5", "GET /users?offset=+0", "GET /users?offset=%200",
              "GET /users?offset=0&offset=0", "GET /users?limit=200&offset=x",
              "GET /users?offset=0;limit=5"},
             invalid_offset);
}

// What is valid goes on to the database, which can't be asked.
TEST(Routes, WhatIsValidAsksTheDatabase) {
  expect_all({"GET /users",
              "GET /users?",
              "GET /users?limit=1",
              "GET /users?limit=200",
              "GET /users?limit=0000000000000000000000001",
              "GET /users?limit=%31%30",
              "GET /users?l%69mit=1",
              "GET /users?offset=0&limit=1",
              "GET /users?offset=9223372036854775807",
              "GET /users?offset=00",
              "GET /users?limit=1&&offset=1&",
              "GET /users?Limit=0",
              "GET /users?limits=0",
              "GET /users?x=1&x=2&y",
              "GET /users?x;limit=0",
              "GET /users?=0",
              "GET /%75sers",
              "GET http://a/users?limit=1",
              "GET /users/123e4567-e89b-12d3-a456-426614174000",
              "GET /users/123E4567-E89B-12D3-A456-426614174000",
              "GET /users/%3123e4567%2De89b-12d3-a456-426614174000",
              "GET /users/123e4567-e89b-12d3-a456-426614174000?limit=0",
              "GET /users%2F123e4567-e89b-12d3-a456-426614174000",
              "GET /readyz?x"},
             unavailable);
}

TEST(Routes, WithoutADatabaseTheAnswerComesByItsDeadline) {
  const auto took = [](std::string_view line) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(answers_to({request(line)}), std::vector<std::string>{std::string(unavailable)});
    return std::chrono::steady_clock::now() - begin;
  };
  EXPECT_LT(took("GET /readyz"), ready_timeout + 200ms);
  EXPECT_LT(took("GET /users"), request_timeout + 500ms);
  EXPECT_LT(took("GET /users/123e4567-e89b-12d3-a456-426614174000"), request_timeout + 500ms);
}

}  // namespace
}  // namespace ringpost::app
