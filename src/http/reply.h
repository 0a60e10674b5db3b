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
#include "src/http/metrics.h"
#include "src/io/clock.h"

namespace ringpost::http {

class Session;

// What a reply knows of its request.
struct Ticket {
  uint32_t number;               // of it, in its session (see ServerConnection)
  uint32_t reserved;             // bytes of the budget, for its answer
  io::Time asked;                // when it had come
  Series series;                 // for the metrics
  proto::http::Status status{};  // of the answer that was begun
};

class [[nodiscard]] Reply {
 public:
  Reply(Session& session, const Ticket& ticket) : session_(&session), ticket_(ticket) {}
  Reply(Reply&& other) noexcept
      : session_(std::exchange(other.session_, nullptr)), ticket_(other.ticket_) {}
  Reply& operator=(Reply&&) = delete;
  ~Reply();

  Session& session() const { return *session_; }
  // When the request was: before it waited for memory, if it did. Its deadline counts from here.
  io::Time asked() const { return ticket_.asked; }
  // Of its request, in its session.
  uint32_t number() const { return ticket_.number; }

  // The request is one of the handler's route number `route`, from 1: for the metrics. Once.
  void route(uint16_t route) { ticket_.series += Metrics::series(route, {}); }

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
  friend class StreamedReply;
  // Somebody else answers.
  void give_up() { session_ = nullptr; }

  Session* session_;
  Ticket ticket_;
};

}  // namespace ringpost::http
