// The document of a service's API, OpenAPI 3.1, made of its routes: what GET /openapi.json answers.
//
// Paths, methods, parameters with their bounds, bodies, and what is answered when these are wrong
// follow from the routes; what else is answered they declare. HEAD is GET without its body. What
// all services answer is in one place, and so are parameters that routes share.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "src/service/app.h"
#include "src/service/router.h"
#include "src/service/table.h"

namespace ringpost::service {

// One route, as the document needs it.
struct Described {
  struct Parameter {
    std::string_view name;
    bool of_path, required;
    std::string schema;
    std::string_view description, example;
  };
  proto::http::Method method;
  std::string_view pattern;
  const Operation* operation;
  bool asks;  // the database
  std::vector<Parameter> parameters;
  std::optional<BodyOptions> body;
};

std::string openapi(const About& about, std::span<const Schema> schemas,
                    std::span<const Described> routes);

namespace detail {

template <class Route>
Described describe(const Route& route, bool database) {
  Described described{.method = Route::method,
                      .pattern = Route::Paths::view,
                      .operation = &route.operation,
                      .asks = false,
                      .parameters = {},
                      .body = {}};
  if constexpr (!std::is_null_pointer_v<decltype(Route::handler)>)
    described.asks = database && is_coroutine(Route::handler);
  const auto add = [&described]<class Parameter>(const Parameter& parameter) {
    if constexpr (BodyParameter<Parameter>)
      described.body = parameter;
    else
      described.parameters.push_back({.name = parameter.name,
                                      .of_path = parameter.of_path,
                                      .required = parameter.of_path || !parameter.type.otherwise,
                                      .schema = parameter.type.schema(),
                                      .description = parameter.description,
                                      .example = parameter.example});
  };
  std::apply([&add](const auto&... parameters) { (add(parameters), ...); }, route.parameters);
  return described;
}

}  // namespace detail

// T: the service.
template <class T>
std::string openapi() {
  std::vector<Described> routes;
  std::apply(
      [&routes](const auto&... route) {
        (routes.push_back(detail::describe(route, T::about.database)), ...);
      },
      Table<T>::all);
  if constexpr (requires { T::schemas; })
    return openapi(T::about, T::schemas, routes);
  else
    return openapi(T::about, {}, routes);
}

}  // namespace ringpost::service
