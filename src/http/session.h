// Session: one HTTP/1.1 connection. Reads, hands the requests to the handler, and sends the answers
// that are due in one turn in one send. What the bytes mean, and which answer is due, it asks its
// ServerConnection.
//
// Lifetimes: the coroutine run() owns nothing but borrows the Session, which its listener owns
// until run() has ended. A Reply borrows the session; the session does not end before each Reply is
// answered or dropped, and the coroutines it spawned have ended.
#pragma once

#include <memory>
#include <string_view>

#include "proto/http/server_connection.h"
#include "proto/wire/buffer.h"
#include "src/http/access_log.h"
#include "src/http/body_stream.h"
#include "src/http/budget.h"
#include "src/http/context.h"
#include "src/http/streamed_reply.h"
#include "src/io/condition.h"
#include "src/io/scope.h"
#include "src/io/stream.h"

namespace ringpost::http {

class Session final : private Budget::Account {
 public:
  // Takes over the connected socket `fd`.
  Session(Context& context, int fd, io::Cancellation& cancellation);

  // The whole life of the connection; the socket is closed when it ends.
  io::Task<void> run();

  // Ends it soon: what has been asked is answered, with `Connection: close`. What is no whole
  // request after the grace is not waited for any longer.
  void drain();

  bool draining() const { return draining_; }

  // Since when it waits for a request with nothing else to do; never while it has.
  io::Time idle_since() const;

  // When the request that is being handled over was asked: before it waited for memory, if it did.
  // Its deadline counts from here.
  io::Time asked() const { return asked_; }
  // For work on a request: `co_await query(..., session.until(deadline))`. Cancelled when the
  // session is given up.
  io::Until until(io::Time deadline) { return scope_.until(deadline); }
  void spawn(io::Task<void> work) { scope_.spawn(std::move(work)); }
  io::Reactor& reactor() const { return context_.reactor(); }

  // The body of the request that is being handed over, where its intake is whole. Once.
  proto::wire::Buffer take_body() { return connection_.take_body(); }

 private:
  friend class BodyStream;
  friend class Reply;
  friend class StreamedReply;
  using Stage = proto::http::ServerConnection::Stage;
  // What came of the wait for memory for the answer to what is offered.
  enum class Admission : uint8_t { not_asked, waiting, granted, refused };

  // What came of a request whose body follows.
  enum class Offered : uint8_t { waits, accepted, answered };

  void answer(const Ticket& ticket, const proto::http::Answer& answer);
  proto::http::ServerConnection::Draft begin_answer(uint32_t number,
                                                    const proto::http::Answer& answer,
                                                    size_t expected);
  void end_answer(const proto::http::ServerConnection::Draft& draft, const Ticket& ticket);
  void answered(bool due, size_t before, const Ticket& ticket, proto::http::Status status);
  size_t held() const override;
  // Bytes of answers that the kernel has not taken.
  size_t answers() const { return stream_.unsent() + connection_.kept_bytes(); }

  // For BodyStream.
  void deliver_to(BodyStream::Incoming& incoming);
  void drop_body() { incoming_ = nullptr, answered_.changed(); }
  void body_was_read() { answered_.changed(); }
  // For StreamedReply: whether the answer of this number may begin; tells when that may be so.
  bool may_stream(uint32_t number) const;
  void wait_to_stream(StreamedReply& reply) { to_stream_.push_back(reply); }
  bool begin_stream(Ticket& ticket, const proto::http::Answer& answer);
  void write_stream(std::string_view piece);
  io::Stream::Drain stream_room(io::Until until);
  // Of so many bytes.
  void end_stream(const Ticket& ticket, size_t bytes);
  void cut_stream(const Ticket& ticket, size_t bytes);
  void note_in_trail(const Ticket& ticket, size_t bytes);
  void tell_who_waits_to_stream();

  void take(std::string_view arrived);
  bool serve();
  bool reserve(size_t more);
  bool admit();
  Offered offer_body(bool waits);
  bool gather();
  void end_body(const proto::http::Refusal* failure);
  void dispatch();
  void refuse();
  Reply take_offer(uint32_t reserved, proto::http::Method method);
  void stash();
  bool backlogged() const;
  bool waits_to_be_alone();
  uint32_t at_a_time() const { return alone_ ? 1 : context_.limits().pipelined; }
  io::Task<bool> make_room();

  io::Time now() const { return context_.reactor().now(); }
  void note_stage();
  io::Time deadline() const;
  bool read_again(const io::Error& error);
  io::Task<void> finish();
  io::Task<void> linger();

  Context& context_;
  io::Stream stream_;
  io::Scope scope_;
  proto::http::ServerConnection connection_;
  io::Condition answered_;              // a request was, or some of its body was read
  std::unique_ptr<AccessTrail> trail_;  // for the access log, where there is one
  // The body that is being streamed, if somebody reads it.
  BodyStream::Incoming* incoming_ = nullptr;
  io::List<StreamedReply, StreamedReply> to_stream_;  // those that wait for their turn
  bool streams_ = false;                              // an answer that has begun
  bool waits_for_room_ = false;                       // the stream's, so that no other may

  // What has arrived and is not yet consumed: a view of the stream's last read, or of unread_ when
  // that is not empty.
  std::string_view input_;
  proto::wire::Buffer unread_;

  io::Time asked_{};     // when what is offered was, for the first time
  uint32_t wanted_ = 0;  // of the budget, for the answer to what is offered
  Admission admission_ = Admission::not_asked;
  Stage stage_ = Stage::idle;  // as of the last look at it
  // A request that is not safe was handed over last, or is to be next (RFC 9110, 9.2.1): it is
  // worked on alone.
  bool alone_ = false;
  bool draining_ = false;
  io::Time since_;  // when that began; while draining, when that did
};

}  // namespace ringpost::http
