// Table: the routes of a service, with those that every service has, as a type: each answer about
// them is a constant, or code without a loop.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>
#include <tuple>
#include <utility>

#include "src/service/body.h"
#include "src/service/common.h"
#include "src/service/route.h"

namespace ringpost::service {

constexpr std::string_view name_of(proto::http::Method method) {
  constexpr std::string_view names[] = {"GET",     "HEAD",    "POST",  "PUT",   "DELETE",
                                        "CONNECT", "OPTIONS", "TRACE", "PATCH", ""};
  return names[static_cast<size_t>(method)];
}

namespace detail {

constexpr http::Intake intake_of() {
  return {};
}
template <class Parameter, class... Others>
constexpr http::Intake intake_of(const Parameter& parameter, const Others&... others) {
  if constexpr (BodyParameter<Parameter>) {
    static_assert(!(BodyParameter<Others> || ...), "a request has one body");
    return {.kind = Parameter::intake, .most_bytes = parameter.most_bytes};
  } else {
    return intake_of(others...);
  }
}

}  // namespace detail

// T: the service.
template <class T>
class Table {
 public:
  static constexpr auto all = std::tuple_cat(T::routes, common_routes);
  using All = std::remove_const_t<decltype(all)>;
  static constexpr size_t count = std::tuple_size_v<All>;
  template <size_t i>
  using At = std::tuple_element_t<i, All>;

 private:
  using Method = proto::http::Method;
  static constexpr std::array<std::string_view, count> pattern_of_route =
      []<size_t... i>(std::index_sequence<i...>) {
        return std::array{At<i>::Paths::view...};
      }(std::make_index_sequence<count>());
  static constexpr std::array<Method, count> method_of_route =
      []<size_t... i>(std::index_sequence<i...>) {
        return std::array{At<i>::method...};
      }(std::make_index_sequence<count>());
  // The first route of the same pattern.
  static constexpr std::array<size_t, count> first_of_route = [] {
    std::array<size_t, count> all_first{};
    for (size_t i = 0; i < count; ++i)
      all_first[i] = static_cast<size_t>(std::ranges::find(pattern_of_route, pattern_of_route[i]) -
                                         pattern_of_route.begin());
    return all_first;
  }();

 public:
  // Patterns, each once: resource r is numbered r + 1 in the metrics.
  static constexpr size_t resources = [] {
    size_t found = 0;
    for (size_t i = 0; i < count; ++i) found += first_of_route[i] == i;
    return found;
  }();
  // The first route of each.
  static constexpr std::array<size_t, resources> first = [] {
    std::array<size_t, resources> all_first{};
    size_t found = 0;
    for (size_t i = 0; i < count; ++i)
      if (first_of_route[i] == i) all_first[found++] = i;
    return all_first;
  }();
  static constexpr std::array<std::string_view, resources> patterns = [] {
    std::array<std::string_view, resources> names{};
    for (size_t r = 0; r < resources; ++r) names[r] = pattern_of_route[first[r]];
    return names;
  }();
  template <size_t r>
  using Paths = At<first[r]>::Paths;

  // What becomes of the body of a route's request.
  static constexpr std::array<http::Intake, count> intakes =
      []<size_t... i>(std::index_sequence<i...>) {
        return std::array{
            std::apply([](const auto&... parameters) { return detail::intake_of(parameters...); },
                       std::get<i>(all).parameters)...};
      }(std::make_index_sequence<count>());

  static constexpr bool is_of(size_t route, size_t r) { return first_of_route[route] == first[r]; }
  static constexpr bool takes(size_t route, Method method) {
    return method_of_route[route] == method ||
           (method == Method::head && method_of_route[route] == Method::get);
  }

  // Whether resource r can't be reached, as an earlier pattern matches all of its paths.
  template <size_t r>
  static consteval bool is_hidden() {
    return []<size_t... earlier>(std::index_sequence<earlier...>) {
      return (hides<earlier, r>() || ...);
    }(std::make_index_sequence<r>());
  }
  static consteval bool all_reachable() {
    return []<size_t... r>(std::index_sequence<r...>) {
      return !(is_hidden<r>() || ...);
    }(std::make_index_sequence<resources>());
  }
  // Whether no method of a pattern has two routes.
  static consteval bool all_different() {
    for (size_t i = 0; i < count; ++i)
      for (size_t j = 0; j < i; ++j)
        if (first_of_route[i] == first_of_route[j] && method_of_route[i] == method_of_route[j])
          return false;
    return true;
  }

  // The header line that says which methods resource r has; for `resources` which the server has,
  // of whom OPTIONS can always be asked.
  template <size_t r>
  static constexpr std::string_view allow() {
    return {allow_line<r>.data(), allow_length<r>};
  }

 private:
  // As a name in braces is matched by a name, and not by a literal.
  template <size_t earlier, size_t r>
  static consteval bool hides() {
    typename Paths<earlier>::Segments segments;
    return Paths<earlier>::match(patterns[r], segments);
  }

  static constexpr bool concerns(size_t route, size_t r) {
    return r == resources || is_of(route, r);
  }

  template <size_t r>
  static constexpr std::array<char, 96> allow_line = [] {
    std::array<char, 96> line{};
    char* at = line.data();
    const auto put = [&at](std::string_view text) { at = std::ranges::copy(text, at).out; };
    unsigned seen = 0;
    const auto put_method = [&](Method method) {
      const unsigned bit = 1U << static_cast<unsigned>(method);
      if ((seen & bit) != 0) return;
      if (seen != 0) put(", ");
      seen |= bit;
      put(name_of(method));
      if (method == Method::get) put(", HEAD");
    };
    put("Allow: ");
    for (size_t i = 0; i < count; ++i)
      if (concerns(i, r)) put_method(method_of_route[i]);
    if (r == resources) put_method(Method::options);
    put("\r\n");
    return line;
  }();
  template <size_t r>
  static constexpr size_t allow_length =
      static_cast<size_t>(std::ranges::find(allow_line<r>, '\0') - allow_line<r>.begin());
};

}  // namespace ringpost::service
