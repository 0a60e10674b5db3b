// A parsed request head.
//
// Its views point into the bytes that were parsed and live as long as those. Headers are kept as
// offsets, sixteen bytes a field, in the parser's table: they are made into views when they are
// asked for, and live until the parser's next parse(), reset() or end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "proto/http/characters.h"

namespace ringpost::proto::http {

struct Header {
  std::string_view name;   // as it came: names are case-insensitive
  std::string_view value;  // without the white space around it
};

// Where a piece of the head lies, counted from the head's first byte.
struct Span {
  uint32_t begin = 0, size = 0;
  std::string_view in(const char* head) const { return {head + begin, size}; }
};

struct HeaderSpans {
  Span name, value;
  Header in(const char* head) const { return {name.in(head), value.in(head)}; }
};

// The header fields, in their order.
class Headers {
 public:
  class Iterator {
   public:
    Iterator(const char* head, const HeaderSpans* at) : head_(head), at_(at) {}
    Header operator*() const { return at_->in(head_); }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    const char* head_;
    const HeaderSpans* at_;
  };

  Headers() = default;
  Headers(const char* head, std::span<const HeaderSpans> spans) : head_(head), spans_(spans) {}

  size_t size() const { return spans_.size(); }
  Header operator[](size_t index) const { return spans_[index].in(head_); }
  Iterator begin() const { return {head_, spans_.data()}; }
  Iterator end() const { return {head_, spans_.data() + spans_.size()}; }

  // The value of the first field of this name, which is given in lower case.
  std::optional<std::string_view> find(std::string_view lower_case_name) const {
    for (const HeaderSpans& spans : spans_)
      if (spans.name.size == lower_case_name.size() &&
          equals_ignoring_case(spans.name.in(head_), lower_case_name))
        return spans.value.in(head_);
    return std::nullopt;
  }

 private:
  const char* head_ = nullptr;
  std::span<const HeaderSpans> spans_;
};

// The methods of RFC 9110 (9.3) and PATCH (RFC 5789).
enum class Method : uint8_t {
  get,
  head,
  post,
  put,
  delete_,
  connect,  // refused: no Request has it
  options,
  trace,
  patch,
  other,
};

// Whether a client that asks by it asks for no change (RFC 9110, 9.2.1).
constexpr bool is_safe(Method method) {
  return method == Method::get || method == Method::head || method == Method::options ||
         method == Method::trace;
}

// How the length of the body is known (RFC 9112, 6.3).
enum class Framing : uint8_t { none, length, chunked };

struct Request {
  std::string_view method;  // case-sensitive
  std::string_view target;  // origin-form, absolute-form or "*" (RFC 9112, 3.2)
  std::string_view host;    // the authority that is asked for: the target's own, else Host
  Headers headers;
  uint64_t content_length = 0;
  Method known_method = Method::other;
  Framing framing = Framing::none;
  uint8_t minor_version = 1;     // 0 or 1
  bool keep_alive = true;        // the connection may go on after the answer
  bool expect_continue = false;  // the client waits for 100 before it sends the body

  std::optional<std::string_view> find(std::string_view lower_case_name) const {
    return headers.find(lower_case_name);
  }
};

}  // namespace ringpost::proto::http
