// Parameters: what a route's handler is given of a request, each with a name, a type and its
// bounds. One that is not what it has to be is answered 400 {"error":"invalid_<name>"}; the first
// that is wrong, in the order of their declaration.
//
//     inline constexpr auto id = in_path<"id">(Uuid{}, "Which one.");
//     inline constexpr auto limit = in_query<"limit">(Integer{.least = 1, .most = 200, .otherwise =
//     50});
//
// A parameter of the query is given once; it may be left out where it has a value for that. Escapes
// are decoded before. What handlers are given is theirs: nothing of it views the request.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "proto/http/target.h"
#include "proto/pg/uuid.h"
#include "src/service/literal.h"

namespace ringpost::http {
class Session;
}

namespace ringpost::service {

// Types. Each reads its value from decoded text, and says in JSON Schema what it takes.

// In decimal digits, without a sign.
struct Integer {
  using Value = int64_t;
  int64_t least = 0, most = std::numeric_limits<int64_t>::max();
  std::optional<int64_t> otherwise{};

  std::optional<int64_t> read(std::string_view text) const {
    const auto value = proto::http::parse_decimal(text, static_cast<uint64_t>(most));
    if (!value || static_cast<int64_t>(*value) < least) return std::nullopt;
    return static_cast<int64_t>(*value);
  }
  std::string schema() const;
  constexpr bool sound() const { return least >= 0 && least <= most; }
};

// 8-4-4-4-12 hexadecimal digits, in either case.
struct Uuid {
  using Value = proto::pg::Uuid;
  static constexpr std::optional<Value> otherwise{};

  std::optional<Value> read(std::string_view text) const { return proto::pg::parse_uuid(text); }
  std::string schema() const;
  constexpr bool sound() const { return true; }
};

// UTF-8 without NUL, as PostgreSQL takes it.
struct Text {
  using Value = std::string;
  size_t least_bytes = 1, most_bytes = 255;
  // Which there may be, as in a regular expression's brackets: "0-9A-Za-z_-". Empty: all.
  std::string_view characters{};
  std::optional<std::string_view> otherwise{};

  std::optional<std::string> read(std::string_view text) const;
  std::string schema() const;
  constexpr bool sound() const { return least_bytes <= most_bytes; }
};

// What is looked at for the parameters of one request.
template <size_t segments>
struct Given {
  std::array<std::string_view, segments> path;  // decoded
  std::string_view query;                       // as it came
  proto::wire::Buffer &name, &value;            // for decoding
  http::Session& session;
};

// What is common to parameters of the path and of the query.
template <Literal literal, class Type>
struct Parameter {
  using Value = Type::Value;
  static constexpr std::string_view name = literal.view();
  static constexpr std::string_view error() { return Joined<error_begin, name, error_end>::view; }

  Type type;
  std::string_view description, example;

 private:
  static constexpr std::string_view error_begin = "{\"error\":\"invalid_", error_end = "\"}";
};

template <Literal literal, class Type>
struct PathParameter : Parameter<literal, Type> {
  static constexpr bool of_path = true;

  template <class Pattern>
  std::optional<typename Type::Value> read(const Given<Pattern::parameters>& given) const {
    constexpr size_t index = Pattern::index_of(literal.view());
    static_assert(index < Pattern::parameters, "the route's pattern has no segment of this name");
    return this->type.read(given.path[index]);
  }
};

template <Literal literal, class Type>
struct QueryParameter : Parameter<literal, Type> {
  static constexpr bool of_path = false;
  using Value = Type::Value;

  template <class Pattern>
  std::optional<Value> read(const Given<Pattern::parameters>& given) const {
    return read(given.query, given.name, given.value);
  }
  std::optional<Value> read(std::string_view query, proto::wire::Buffer& name_space,
                            proto::wire::Buffer& value_space) const {
    using Found = proto::http::Parameter::Found;
    const auto parameter = proto::http::find_parameter(query, literal.view(), name_space);
    if (parameter.found == Found::repeatedly) return std::nullopt;
    if (parameter.found == Found::no) {
      if (!this->type.otherwise) return std::nullopt;
      return Value(*this->type.otherwise);
    }
    return this->type.read(proto::http::percent_decode(parameter.value, value_space));
  }
};

// `description` and `example` are for the API's document.
template <Literal name, class Type>
consteval PathParameter<name, Type> in_path(Type type, std::string_view description = {},
                                            std::string_view example = {}) {
  if (!type.sound()) throw "its bounds are none";
  return {{type, description, example}};
}
template <Literal name, class Type>
consteval QueryParameter<name, Type> in_query(Type type, std::string_view description = {},
                                              std::string_view example = {}) {
  if (!type.sound()) throw "its bounds are none";
  return {{type, description, example}};
}

}  // namespace ringpost::service
