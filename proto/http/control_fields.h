// ControlFields: the header fields that decide where a message ends, whom it asks and what becomes
// of its connection; all that request smuggling plays with (RFC 9112, 3.2, 6, 9.3 and 11.2).
//
// take() is given fields as they are read, decide() settles the request when all are there. It
// keeps facts, and the place of Host in the head.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/http/request.h"
#include "proto/http/status.h"

namespace ringpost::proto::http {

class ControlFields {
 public:
  // Whether a field whose name has this size may be one of these. All others need not be given.
  static bool may_be_one(size_t name_bytes) {
    return name_bytes < 32 && (name_sizes >> name_bytes & 1) != 0;
  }
  // A field of such a size, in the head at `head`. Its name is a token, its value field content.
  const Refusal* take(const char* head, const HeaderSpans& field);

  // Sets host, framing, content_length, keep_alive and expect_continue of a request of this
  // minor_version.
  const Refusal* decide(const char* head, Request& request) const;

 private:
  // Of Host, Expect, Connection, Content-Length and Transfer-Encoding.
  static constexpr uint32_t name_sizes = 1U << 4 | 1U << 6 | 1U << 10 | 1U << 14 | 1U << 17;

  // Bits of facts_: cheaper to begin with, and to ask, than a bool each.
  enum Fact : uint32_t {
    has_host = 1,
    has_content_length = 2,
    has_transfer_encoding = 4,
    is_chunked = 8,
    has_other_coding = 16,
    closes = 32,
    keeps_alive = 64,
    expects_continue = 128,
    expects_other = 256,
  };
  bool is(Fact fact) const { return (facts_ & fact) != 0; }
  void note(Fact fact) { facts_ |= fact; }

  const Refusal* content_length(std::string_view value);
  const Refusal* transfer_encoding(std::string_view value);
  void connection(std::string_view value);
  void expect(std::string_view value);

  uint32_t facts_ = 0;
  Span host_;
  uint64_t content_length_ = 0;
};

}  // namespace ringpost::proto::http
