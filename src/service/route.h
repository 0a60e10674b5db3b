// Route: one method on the paths of one pattern, and what answers it.
//
//     static constexpr auto routes = std::tuple{
//         get<"/links/{code}", &Links::visit>({.id = "visit", .summary = "Goes there"}, code),
//         post<"/links", &Links::make>({.id = "make", .summary = "A new one"}, target)};
//
// A handler is a member function of the service's object on each shard (service.h): a plain one, or
// a coroutine, an io::Task<void>, that the session then runs. It is given the values of the route's
// parameters, in their order, and the http::Reply. A plain one may ask for the request before all
// of these, as const proto::http::Request&: that lives until it returns.
//
// From all the routes of a service follow: 404, 405 with Allow, HEAD as GET without its body, the
// routes' names in the metrics, and the API's document (openapi.h). Of two patterns that match, the
// first wins; one that can't win is refused when the program is compiled.
#pragma once

#include <array>
#include <string_view>
#include <tuple>

#include "proto/http/request.h"
#include "proto/http/status.h"
#include "src/service/literal.h"
#include "src/service/parameter.h"
#include "src/service/pattern.h"

namespace ringpost::service {

// What a route may answer, for the API's document.
struct Says {
  proto::http::Status status{};
  std::string_view description{};
  // Of the body: a name of the service's schemas, or a schema. Without one an error has
  // {"error":...}, and anything else no body.
  std::string_view schema{};
  std::string_view type = "application/json";
};

struct Operation {
  std::string_view id;       // a name for programs: getUser
  std::string_view summary;  // one line
  // Beside what follows from the rest: 400 of parameters, 413 of a body; 500 and 503 of a coroutine
  // in a service that has a database, unless 503 is among these.
  std::array<Says, 6> answers{};
};

template <proto::http::Method known_method, Literal text, auto handler_function,
          auto estimate_function, class... Parameters>
struct Route {
  using Paths = Pattern<text>;
  static constexpr proto::http::Method method = known_method;
  static constexpr auto handler = handler_function;
  static constexpr auto estimate = estimate_function;

  Operation operation;
  std::tuple<Parameters...> parameters;

  // Each name of the pattern is one of the parameters.
  static constexpr bool whole = [] {
    size_t of_path = 0;
    ((of_path += Parameters::of_path), ...);
    return of_path == Paths::parameters;
  }();
  static_assert(whole, "each name of a pattern is declared, as in_path<\"name\">, and once");
};

// `estimate`: a member function that says how many bytes the body of an answer may have, of the
// first parameters of the query, as many as it takes: see http::Handler::answer_bytes. Without one
// it is small.
template <Literal pattern, auto handler, auto estimate = nullptr, class... Parameters>
consteval auto get(const Operation& operation, Parameters... parameters) {
  return Route<proto::http::Method::get, pattern, handler, estimate, Parameters...>{
      operation, {parameters...}};
}
template <Literal pattern, auto handler, auto estimate = nullptr, class... Parameters>
consteval auto post(const Operation& operation, Parameters... parameters) {
  return Route<proto::http::Method::post, pattern, handler, estimate, Parameters...>{
      operation, {parameters...}};
}
template <Literal pattern, auto handler, auto estimate = nullptr, class... Parameters>
consteval auto put(const Operation& operation, Parameters... parameters) {
  return Route<proto::http::Method::put, pattern, handler, estimate, Parameters...>{
      operation, {parameters...}};
}
template <Literal pattern, auto handler, auto estimate = nullptr, class... Parameters>
consteval auto patch(const Operation& operation, Parameters... parameters) {
  return Route<proto::http::Method::patch, pattern, handler, estimate, Parameters...>{
      operation, {parameters...}};
}
template <Literal pattern, auto handler, auto estimate = nullptr, class... Parameters>
consteval auto remove(const Operation& operation, Parameters... parameters) {
  return Route<proto::http::Method::delete_, pattern, handler, estimate, Parameters...>{
      operation, {parameters...}};
}
// OPTIONS is answered 204 with Allow; without this 405, as any method that no route has.
template <Literal pattern, class... Parameters>
consteval auto options(Parameters... parameters) {
  return Route<proto::http::Method::options, pattern, nullptr, nullptr, Parameters...>{
      {}, {parameters...}};
}

}  // namespace ringpost::service
