// Reply: the one way to answer a request, handed to the handler with it.
//
// Answered once, by send(); one that is dropped unanswered answers 500. It borrows its session,
// which does not end before each of its replies is answered or dropped.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "proto/http/server_connection.h"
#include "proto/http/status.h"

namespace ringpost::http {

class Session;

class [[nodiscard]] Reply {
 public:
  // For what `session` took as number `number` (see ServerConnection), with so many bytes of the
  // budget for its answer.
  Reply(Session& session, uint32_t number, uint32_t reserved)
      : session_(&session), number_(number), reserved_(reserved) {}
  Reply(Reply&& other) noexcept
      : session_(std::exchange(other.session_, nullptr)),
        number_(other.number_),
        reserved_(other.reserved_) {}
  Reply& operator=(Reply&&) = delete;
  ~Reply();

  Session& session() const { return *session_; }

  // `body` is copied, or left out when the request was HEAD. `fields`: further header lines, each
  // ending in CRLF. An empty content type writes none.
  void send(proto::http::Status status, std::string_view content_type, std::string_view body,
            std::string_view fields = {});

  // The same, for a body that is written where it is sent from: begin() says where it is to be
  // appended, about `expected` bytes, and end() sends it. Or drop() takes it back, and send() says
  // something else. The coroutine does not suspend in between, and who writes there has ended by
  // then: the buffer may, too.
  using Draft = proto::http::ServerConnection::Draft;
  Draft begin(proto::http::Status status, std::string_view content_type, size_t expected);
  void end(const Draft& draft);
  void drop(const Draft& draft);

 private:
  Session* session_;
  uint32_t number_, reserved_;
};

}  // namespace ringpost::http
