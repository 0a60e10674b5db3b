// ServerConnection: the server's side of one HTTP/1.1 connection, with no I/O: what its bytes ask
// for, in which order it is answered, and what ends it (RFC 9112, 9).
//
// Receiving is in one stage at a time; next() walks on through it:
//
//     stage        what comes                            becomes
//     idle         empty lines                           idle
//                  a part of a head                      head
//                  a head without a body                 offers it as a request
//                  a head with a body                    offers it, for its body
//                  the same, and its client waits        offers it, for permission
//                  a head that can't be taken            offers a refusal
//     head         the rest of it                        as from idle
//     body         the rest of it                        offers the request
//                  some of it, which is to be streamed   offers the request; then body, by pieces
//                  what can't be a body, or is too much  offers a refusal; closed, if it was taken
//     permission   as body, which comes all the same     body
//     any          expire(): it did not come in time     offers a refusal (408)
//     any          close()                               closed
//     an offer     accept_body()                         body
//                  the same, of a waiting client's       permission, or body once 100 is sent
//                  take(), of a request                  idle; closed, where it is the last
//                  take(), of a refusal, or instead of   closed
//                  accept_body()
//
// An offer stands until it is taken: next() makes it again, wherever the bytes lie by then. What is
// taken gets a number, and its answer by that number whenever it is ready; answers that are ready
// early are kept here, and written when their turn comes (9.3.2). The last one says
// `Connection: close`, whoever found out when that it is the last.
//
// It owns what it keeps: the progress of half a head, the head of a body that is on its way, and of
// the body what is to be kept, early answers. An idle connection keeps none of these. The caller
// owns the bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "proto/http/chunked.h"
#include "proto/http/request.h"
#include "proto/http/request_parser.h"
#include "proto/http/response_head.h"
#include "proto/http/status.h"
#include "proto/wire/buffer.h"

namespace ringpost::proto::http {

// What a request is answered.
struct Answer {
  Status status = Status::ok;
  std::string_view content_type{};  // empty: none
  std::string_view body{};          // left out where the request was HEAD, and with 204
  std::string_view fields{};        // further header lines, each with its CRLF
};

class ServerConnection {
 public:
  enum class Event : uint8_t {
    more,        // the input ends inside a request, or before one: keep what was not consumed
    request,     // request() is there, whole; its body, if it had one, was dropped
    body,        // request() is there, and its body follows: accept_body() says what becomes of it
    permission,  // the same, and its client waits for 100 before it sends the body: accept_body(),
                 // or take() it for the final answer at once (RFC 9110, 10.1.1)
    kept,        // request() is there, whole, its body too: take_body(), before next()
    streamed,    // request() is there, and its body has begun: take() it, then come
    piece,       //   pieces of it, in piece();
    end,         //   its end;
    broken,      //   or refusal(): it goes no further, and nothing further is taken
    refusal,     // what came is no request that could be taken: refusal(), to be answered
    closed,      // nothing further is taken; the input was dropped
  };

  // What the connection waits for. While something is offered, that is nothing: idle or answers.
  enum class Stage : uint8_t { idle, answers, head, permission, body, closed };

  // `whole_heads` is for heads that come in one piece, and outlives the connection. It may be
  // shared by many: it is nobody's between two calls, and behind a request that was offered until
  // then. More than `body_bytes` of a body are refused (413).
  ServerConnection(RequestParser& whole_heads, uint64_t body_bytes);
  ~ServerConnection();
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;

  // Walks on through `input`: the bytes received and not yet consumed, from the first. Of these
  // consumed() are done with after the call, whatever it returned; call again with the rest until
  // it asks for more.
  Event next(std::string_view input);
  // After next(), take() or accept_body(): how many bytes of next()'s input that call is done with,
  // beyond those of the calls before it.
  size_t consumed() const { return consumed_; }

  // What is offered. Its views live, past take(), until the next call of next(), of any connection
  // that shares the parser.
  const Request& request() const { return parser().request(); }
  const Refusal& refusal() const { return *refusal_; }
  // Of a body that is streamed: a view of next()'s input.
  std::string_view piece() const { return piece_; }

  // Takes what is offered; returns its number, for answer(): numbers count on, modulo 2^32.
  // REQUIRES: an offer whose input is still there, and no next() since of another connection that
  // shares the parser; so has accept_body().
  uint32_t take();
  // What becomes of a body.
  enum class Intake : uint8_t { drop, keep, stream };
  // Lets the client send the body, of which more than `most_bytes` are refused (413). True when 100
  // was appended to `out`: it must not overtake an earlier answer, and may be written by the
  // answer() that it waits for. REQUIRES: an offer of a body, or for permission.
  bool accept_body(wire::Buffer& out, Intake intake = Intake::drop,
                   uint64_t most_bytes = UINT64_MAX);
  // The body of the request that is, or was, offered as kept.
  wire::Buffer take_body();
  // Whether a request was taken whose body is still to come, in pieces.
  bool streaming() const;

  // Answers what was taken as `number`, once. What is due by now is appended to `out`, whole;
  // false when earlier answers are missing. `date`: see ResponseHead.
  bool answer(uint32_t number, const Answer& answer, std::string_view date, wire::Buffer& out);

  // An answer whose body is written where it is sent from, or kept: begin_answer() says where it is
  // to be appended, behind what is there, and end_answer() ends it as answer() does. Or
  // drop_answer() takes it back, and it is answered anew. Nothing else of this connection or `out`
  // is called in between.
  struct Draft {
    uint32_t number = 0;
    uint32_t begin = 0;  // where in `out`
    wire::Buffer* out = nullptr;
    OpenLength length{};

    std::string_view body() const { return out->view().substr(length.body_at); }
  };
  // `answer` without its body, of which about `expected` bytes will come: as many digits of its
  // length are left open.
  Draft begin_answer(uint32_t number, const Answer& answer, size_t expected, std::string_view date,
                     wire::Buffer& out);
  bool end_answer(const Draft& draft, std::string_view date, wire::Buffer& out);
  void drop_answer(const Draft& draft);

  // An answer whose length is not known before its end, and which is not kept: it begins when all
  // earlier ones are written. begin_stream() is false, and nothing is written, where it can't be
  // told from what follows: its client is of HTTP/1.0, so that the connection's end is the body's,
  // and has asked for more. Then come pieces, and end_stream(), or cut_stream() where the rest is
  // not to be had: the connection has to end before anything else is sent.
  bool is_first(uint32_t number) const { return number == answered_; }
  bool begin_stream(const Answer& answer, std::string_view date, wire::Buffer& out);
  void append_piece(std::string_view piece, wire::Buffer& out);
  void end_stream(std::string_view date, wire::Buffer& out);
  void cut_stream();

  // The head or the body that has begun is no longer waited for: next() offers its refusal.
  // REQUIRES: stage head or body.
  void expire();
  // A request with nothing behind it is the last from now on. Where none comes any more, close().
  void drain() { draining_ = true; }
  // No further request is taken.
  void close();

  Stage stage() const;
  bool closed() const { return closed_; }
  // Requests that were taken, and whose answers were not yet written.
  uint32_t unanswered() const { return taken_ - answered_; }
  // Memory of the answers that are kept for their turn.
  size_t kept_bytes() const { return kept_bytes_; }
  // Memory of the body that is kept.
  size_t body_memory() const;
  // Whether a request was ever taken.
  bool used() const { return used_; }

 private:
  struct Body;
  struct Kept;
  // A request that was taken, until its answer is written.
  struct Exchange {
    bool head_only = false, http_1_0 = false, last = false;
    std::unique_ptr<Kept> kept;
  };
  enum class Offer : uint8_t { none, head, announced, permission, body, stream, refusal };

  Event next_head(std::string_view input);
  Event next_body(std::string_view input);
  Event next_piece(std::string_view input);
  Event offer_with_head(Offer offer, Event event);
  Event refuse(const Refusal& refusal, bool head_only);
  // Has what is offered: also a head that was kept while its body came is read by `whole_heads_`.
  RequestParser& parser() const { return half_head_ != nullptr ? *half_head_ : whole_heads_; }
  void begin_body(Intake intake, uint64_t most_bytes);

  Exchange& exchange(uint32_t number) const;
  void make_room();
  ResponseHead head_of_first(const Answer& answer, size_t length, std::string_view date) const;
  void write_first(const Answer& answer, std::string_view date, wire::Buffer& out);
  void end_first(std::string_view date, wire::Buffer& out);

  RequestParser& whole_heads_;
  uint64_t body_bytes_;

  // At most one of these: a head, or a body, that has come in part.
  std::unique_ptr<RequestParser> half_head_;
  std::unique_ptr<Body> body_;

  const Refusal* refusal_ = nullptr;
  std::string_view piece_;
  const char* input_ = nullptr;  // the first byte of the last next()'s
  uint32_t consumed_ = 0;        // of it
  Offer offer_ = Offer::none;
  bool in_use_ = false;        // request() may be, although it was taken
  bool refused_head_ = false;  // what refusal() refuses, or would refuse, is a HEAD
  bool at_end_ = false;        // nothing had come behind what is offered
  bool draining_ = false, closed_ = false, used_ = false;

  // The exchanges from `answered_` to before `taken_`, in a ring of `capacity_`, a power of two:
  // `only_` as long as that is enough, as it is for most connections, then `more_`.
  uint32_t capacity_ = 1, answered_ = 0, taken_ = 0;
  Exchange only_;
  std::unique_ptr<Exchange[]> more_;
  Exchange* exchanges_ = &only_;
  size_t kept_bytes_ = 0;
};

}  // namespace ringpost::proto::http
