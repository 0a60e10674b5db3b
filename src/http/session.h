// Session: one HTTP/1.1 connection. Reads, parses, hands requests to the service, and sends the
// answers in the order in which the requests came, however they become ready (RFC 9112, 9.3.2);
// those that are ready in one turn leave in one send.
//
// Lifetimes: the coroutine run() owns nothing but borrows the Session, which its listener owns
// until run() has ended. The Session owns its Stream and its Exchanges, one for each request that
// is not yet sent. A Reply is the service's only way to an Exchange; the session does not end
// before each Reply is answered or dropped, and the coroutines it spawned have ended.
#pragma once

#include <memory>
#include <string_view>

#include "proto/http/chunked.h"
#include "proto/http/request.h"
#include "proto/http/request_parser.h"
#include "proto/http/status.h"
#include "proto/wire/buffer.h"
#include "src/http/limits.h"
#include "src/http/service.h"
#include "src/io/condition.h"
#include "src/io/list.h"
#include "src/io/scope.h"
#include "src/io/stream.h"

namespace ringpost::http {

struct Answer;
class Exchange;
class Session;

// Handed to the service with each request. Answered once, by send(); one that is dropped unanswered
// answers 500.
class [[nodiscard]] Reply {
 public:
  explicit Reply(Exchange& exchange) : exchange_(&exchange) {}
  Reply(Reply&& other) noexcept : exchange_(std::exchange(other.exchange_, nullptr)) {}
  Reply& operator=(Reply&&) = delete;
  ~Reply();

  Session& session() const;

  // `body` is copied, or left out when the request was HEAD. `fields`: further header lines, each
  // ending in CRLF. An empty content type writes none.
  void send(proto::http::Status status, std::string_view content_type, std::string_view body,
            std::string_view fields = {});

 private:
  Exchange* exchange_;
};

class Session final {
 public:
  // Takes over the connected socket `fd`.
  Session(Service& service, int fd, io::Cancellation& cancellation);
  ~Session();

  // The whole life of the connection; the socket is closed when it ends.
  io::Task<void> run();

  // Ends it soon: what has been asked is answered, with `Connection: close`. What is no whole
  // request after the grace is not waited for any longer.
  void drain();

  // Since when it waits for a request with nothing else to do; never while it has.
  io::Time idle_since() const {
    return idle() && !draining_ && !closing_ && stream_.unsent() == 0 ? since_ : io::never;
  }

  Service& service() const { return service_; }
  // For work on a request: `co_await query(..., session.until(deadline))`. Cancelled when the
  // session is given up.
  io::Until until(io::Time deadline) { return scope_.until(deadline); }
  void spawn(io::Task<void> work) { scope_.spawn(std::move(work)); }

 private:
  friend class Reply;
  struct Body;

  void take(std::string_view arrived);
  void parse();
  void stash();
  bool backlogged() const;
  void dispatch(const proto::http::Request& request, bool ends = false);
  void begin_body(const proto::http::Request& request, std::string_view head);
  void send_continue();
  void take_body();
  void refuse(proto::http::Status status, std::string_view reason, bool head_only = false);
  void refuse_late();

  // Until at most `left` requests are unanswered: they have deadlines of their own.
  auto settled(uint32_t left) {
    return answered_.wait(service_.reactor(), {}, [this, left] { return in_flight_ <= left; });
  }
  bool begun() const { return half_head_ != nullptr || body_ != nullptr; }
  bool idle() const { return in_flight_ == 0 && !begun(); }
  io::Time deadline() const;
  bool read_again(const io::Error& error);
  io::Task<bool> make_room();
  io::Task<void> finish();

  Exchange& begin_exchange(bool head_only, bool http_1_0, bool close);
  void answer(Exchange& exchange, const Answer& answer);
  void send_first(const Answer& answer);

  Service& service_;
  io::Stream stream_;
  io::Scope scope_;
  io::Cancellation reading_;  // ends the wait for bytes when draining begins

  io::List<Exchange, Exchange> exchanges_;  // in the order of their requests
  uint32_t in_flight_ = 0;
  io::Condition answered_;

  // What has arrived and is not yet parsed: a view of the stream's last read, or of unread_ when
  // that is not empty.
  std::string_view input_;
  proto::wire::Buffer unread_;
  // The progress of a head that has come in part.
  std::unique_ptr<proto::http::RequestParser> half_head_;
  std::unique_ptr<Body> body_;  // the request whose body is being received

  io::Time since_;         // when what is waited for began: a head, a body, idleness
  io::Time grace_ends_{};  // while draining
  bool asked_ = false;     // a request has come
  bool draining_ = false;
  bool closing_ = false;  // no further request is taken; the last answer says so
  bool continue_due_ = false;
};

}  // namespace ringpost::http
