// Router: the handler of a service on one shard: finds the route of a request, reads its
// parameters, and calls what answers it. All of it is laid out by the compiler from the table of
// routes: a request costs a few comparisons, and no call but its handler's.
#pragma once

#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "proto/http/target.h"
#include "src/http/handler.h"
#include "src/http/session.h"
#include "src/service/answers.h"
#include "src/service/common.h"
#include "src/service/table.h"

namespace ringpost::service {

// Whether a handler is a coroutine.
template <class Result>
inline constexpr bool is_task = false;
template <class T>
inline constexpr bool is_task<io::Task<T>> = true;

template <class Result, class Class, class... Arguments>
consteval bool is_coroutine(Result (Class::*)(Arguments...)) {
  return is_task<Result>;
}
template <class Result, class Class, class... Arguments>
consteval bool is_coroutine(Result (Class::*)(Arguments...) const) {
  return is_task<Result>;
}

// T: the service, a Service with `static constexpr auto routes`.
template <class T>
class Router final : public http::Handler {
  using Request = proto::http::Request;
  using Routes = Table<T>;
  template <size_t r>
  using Paths = Routes::template Paths<r>;
  static_assert(Routes::all_reachable(), "an earlier pattern matches all that a later one does");
  static_assert(Routes::all_different(), "a method of a pattern has two routes");

 public:
  // `document`, and what `environment` refers to, outlive it. `options`: of the service, if it has
  // any of its own.
  template <class... Options>
  Router(const Environment& environment, std::string_view document, const Options&... options)
      : environment_(environment),
        service_(environment_, options...),
        common_(environment_, service_, document) {}

  void handle(const Request& request, http::Reply reply) override {
    const proto::http::Target target = proto::http::split_target(request.target);
    const auto path = decoded_path(request.target, target);
    if (!path) return send_bad_request(reply, R"({"error":"invalid_escape"})");
    answer<0>(request, *path, target.query, reply);
  }

  // Of any request that is not refused: what no parameter asks for is read and dropped, and is no
  // error either.
  http::Intake intake(const Request& request) override {
    const proto::http::Target target = proto::http::split_target(request.target);
    const auto path = decoded_path(request.target, target);
    if (!path) return {.kind = http::Intake::Kind::refused};
    return intake_of<0>(*path, request.known_method);
  }

  size_t answer_bytes(const Request& request) override {
    if (request.target.starts_with('/')) [[likely]]
      return estimate<0>(request.known_method, request.target);
    return estimate<0>(request.known_method, proto::http::split_target(request.target).path);
  }

  void turn_away(http::Reply reply) override { send_unavailable(reply); }

  size_t routes() const override { return Routes::resources; }

 private:
  // The path of a target whose escapes are all well-formed, decoded; else nothing. Few targets have
  // any: they are looked for once.
  std::optional<std::string_view> decoded_path(std::string_view target,
                                               const proto::http::Target& parts) {
    if (target.find('%') == std::string_view::npos) return parts.path;
    if (!proto::http::well_escaped(parts.path) || !proto::http::well_escaped(parts.query))
      return std::nullopt;
    return proto::http::percent_decode(parts.path, path_);
  }

  // From resource r on.
  template <size_t r>
  void answer(const Request& request, std::string_view path, std::string_view query,
              http::Reply& reply) {
    if constexpr (r == Routes::resources) {
      // Of the server itself OPTIONS is asked, by those who want to know whether it lives (RFC
      // 9110, 9.3.7); the parser lets nothing else have this target.
      if (path == "*")
        return reply.send(proto::http::Status::no_content, "", "", Routes::template allow<r>());
      send_not_found(reply);
    } else {
      typename Paths<r>::Segments segments;
      if (!Paths<r>::match(path, segments)) return answer<r + 1>(request, path, query, reply);
      reply.route(r + 1);
      const Given<Paths<r>::parameters> given{segments, query, name_, value_, reply.session()};
      answer_by<r, Routes::first[r]>(request, given, reply);
    }
  }

  // By route i of resource r, or a later one.
  template <size_t r, size_t i>
  void answer_by(const Request& request, const Given<Paths<r>::parameters>& given,
                 http::Reply& reply) {
    if constexpr (i == Routes::count) {
      send(reply, proto::http::Status::method_not_allowed, R"({"error":"method_not_allowed"})",
           Routes::template allow<r>());
    } else if constexpr (!Routes::is_of(i, r)) {
      answer_by<r, i + 1>(request, given, reply);
    } else {
      if (!Routes::takes(i, request.known_method))
        return answer_by<r, i + 1>(request, given, reply);
      if constexpr (std::is_null_pointer_v<decltype(Routes::template At<i>::handler)>)
        reply.send(proto::http::Status::no_content, "", "", Routes::template allow<r>());
      else
        read<i>(request, given, reply);
    }
  }

  // Reads the parameters of route i behind these.
  template <size_t i, size_t segments, class... Values>
  void read(const Request& request, const Given<segments>& given, http::Reply& reply,
            Values&&... values) {
    using Route = Routes::template At<i>;
    constexpr auto& parameters = std::get<i>(Routes::all).parameters;
    constexpr size_t nth = sizeof...(Values);
    if constexpr (nth == std::tuple_size_v<decltype(Route::parameters)>) {
      call<Route::handler>(request, reply, std::forward<Values>(values)...);
    } else {
      constexpr auto& parameter = std::get<nth>(parameters);
      auto value = parameter.template read<typename Route::Paths>(given);
      if (!value) return send_bad_request(reply, parameter.error());
      read<i>(request, given, reply, std::forward<Values>(values)..., std::move(*value));
    }
  }

  template <auto handler, class... Values>
  void call(const Request& request, http::Reply& reply, Values&&... values) {
    auto& object = object_of(handler);
    using Object = std::remove_reference_t<decltype(object)>;
    using Function = decltype(handler);
    if constexpr (std::is_invocable_v<Function, Object&, const Request&, Values..., http::Reply>) {
      static_assert(
          !is_task<std::invoke_result_t<Function, Object&, const Request&, Values..., http::Reply>>,
          "a coroutine outlives its request: it takes what it needs of it by value");
      (object.*handler)(request, std::forward<Values>(values)..., std::move(reply));
    } else {
      static_assert(std::is_invocable_v<Function, Object&, Values..., http::Reply>,
                    "a handler takes the values of its parameters, in their order, and the reply");
      using Result = std::invoke_result_t<Function, Object&, Values..., http::Reply>;
      if constexpr (is_task<Result>) {
        http::Session& session = reply.session();
        session.spawn((object.*handler)(std::forward<Values>(values)..., std::move(reply)));
      } else {
        (object.*handler)(std::forward<Values>(values)..., std::move(reply));
      }
    }
  }

  // What a member function is one of.
  template <class Result, class Class, class... Arguments>
  auto& object_of(Result (Class::*)(Arguments...)) {
    return object_of_class<Class>();
  }
  template <class Result, class Class, class... Arguments>
  auto& object_of(Result (Class::*)(Arguments...) const) {
    return object_of_class<Class>();
  }
  template <class Class>
  auto& object_of_class() {
    if constexpr (std::is_same_v<Class, Common>)
      return common_;
    else
      return service_;
  }

  template <size_t r>
  http::Intake intake_of(std::string_view path, proto::http::Method method) {
    if constexpr (r == Routes::resources) {
      return {.kind = http::Intake::Kind::refused};
    } else {
      typename Paths<r>::Segments segments;
      if (!Paths<r>::match(path, segments)) return intake_of<r + 1>(path, method);
      for (size_t i = Routes::first[r]; i < Routes::count; ++i)
        if (Routes::is_of(i, r) && Routes::takes(i, method)) return Routes::intakes[i];
      return {.kind = http::Intake::Kind::refused};
    }
  }

  // Targets are compared as they came: what is escaped is estimated to be small.
  template <size_t r>
  size_t estimate(proto::http::Method method, std::string_view target) {
    if constexpr (r == Routes::resources) {
      return small_answer;
    } else {
      if (!Paths<r>::likely(target)) return estimate<r + 1>(method, target);
      return estimate_by<r, Routes::first[r]>(method, target);
    }
  }
  template <size_t r, size_t i>
  size_t estimate_by(proto::http::Method method, std::string_view target) {
    if constexpr (i == Routes::count) {
      return small_answer;
    } else if constexpr (!Routes::is_of(i, r)) {
      return estimate_by<r, i + 1>(method, target);
    } else {
      if (!Routes::takes(i, method)) return estimate_by<r, i + 1>(method, target);
      constexpr auto function = Routes::template At<i>::estimate;
      if constexpr (std::is_null_pointer_v<decltype(Routes::template At<i>::estimate)>)
        return small_answer;
      else if constexpr (std::is_invocable_v<decltype(function), decltype(object_of(function))>)
        return (object_of(function).*function)();
      else
        return call_estimate<i, function, 0>(
            target.substr(std::min(target.find('?'), target.size())));
    }
  }
  // With as many parameters of the query as it takes, from the nth of all on; `query` with its
  // question mark.
  template <size_t i, auto function, size_t nth, class... Values>
  size_t call_estimate(std::string_view query, Values... values) {
    auto& object = object_of(function);
    if constexpr (std::is_invocable_v<decltype(function), decltype(object), Values...>) {
      return (object.*function)(values...);
    } else {
      constexpr auto& parameter = std::get<nth>(std::get<i>(Routes::all).parameters);
      if constexpr (parameter.of_path) {
        return call_estimate<i, function, nth + 1>(query, values...);
      } else {
        const auto value =
            parameter.read(query.substr(std::min<size_t>(1, query.size())), name_, value_);
        if (!value) return small_answer;
        return call_estimate<i, function, nth + 1>(query, values..., *value);
      }
    }
  }

  const Environment environment_;
  T service_;
  Common common_;
  proto::wire::Buffer path_, name_, value_;  // for decoding what is escaped
};

}  // namespace ringpost::service
