// Bodies, as parameters of a route: the handler is given the body in their place. Whatever else a
// request brings is read and dropped.
//
//     inline constexpr auto target = whole_body({.most_bytes = 2048, .type = "text/plain"});
//
// A larger one is answered 413 before the handler hears of it, or while it reads it, where it is
// streamed; MAX_BODY_BYTES is the limit of all.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "proto/wire/buffer.h"
#include "src/http/body_stream.h"
#include "src/http/handler.h"
#include "src/http/session.h"
#include "src/service/parameter.h"

namespace ringpost::service {

// All of a body, in memory that is the handler's.
class Body {
 public:
  explicit Body(proto::wire::Buffer bytes) : bytes_(std::move(bytes)) {}
  // Lives as long as the Body.
  std::string_view view() const { return bytes_.view(); }

 private:
  proto::wire::Buffer bytes_;
};

// For the API's document, but for the limit. `schema`: a name of the service's schemas, or a
// schema.
struct BodyOptions {
  uint64_t most_bytes = UINT64_MAX;
  std::string_view type = "application/json";
  std::string_view schema = R"({"type":"string"})";
  std::string_view description{};
};

struct WholeBody : BodyOptions {
  static constexpr bool of_path = false;
  static constexpr auto intake = http::Intake::Kind::whole;

  template <class Pattern>
  std::optional<Body> read(const Given<Pattern::parameters>& given) const {
    return Body(given.session.take_body());
  }
  static constexpr std::string_view error() { return {}; }
};

// As it comes: http::BodyStream.
struct StreamedBody : BodyOptions {
  static constexpr bool of_path = false;
  static constexpr auto intake = http::Intake::Kind::streamed;

  template <class Pattern>
  std::optional<http::BodyStream> read(const Given<Pattern::parameters>& given) const {
    return http::BodyStream(given.session);
  }
  static constexpr std::string_view error() { return {}; }
};

consteval WholeBody whole_body(const BodyOptions& options) {
  return {options};
}
consteval StreamedBody streamed_body(const BodyOptions& options) {
  return {options};
}

template <class T>
concept BodyParameter = requires { T::intake; };

}  // namespace ringpost::service
