// Service: what answers requests, and what the sessions of one shard share while it does.
//
// A program derives from it (src/app/routes) and outlives the listener. The call is virtual so that
// this room compiles once; it costs two nanoseconds a request.
#pragma once

#include <cstdint>
#include <string_view>

#include "proto/http/request.h"
#include "proto/http/request_parser.h"
#include "proto/wire/buffer.h"
#include "src/http/limits.h"
#include "src/io/buffer_group.h"
#include "src/io/reactor.h"

namespace ringpost::http {

class Reply;

class Service {
 public:
  Service(io::Reactor& reactor, io::BufferGroup& buffers, const Limits& limits);
  virtual ~Service() = default;
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // One request. `request` and its views live until this returns: what a coroutine needs of them it
  // takes by value. The reply is answered here or moved into a coroutine that answers it
  // (Reply::spawn).
  virtual void handle(const proto::http::Request& request, Reply reply) = 0;

  // Asked of a request whose client waits for 100 before it sends the body. False when the answer
  // is known without: the request is then handed over at once, without its body, and the connection
  // ends after its answer (RFC 9110, 10.1.1). The same holds for the views.
  virtual bool takes_body(const proto::http::Request& request);

  io::Reactor& reactor() const { return reactor_; }
  io::BufferGroup& buffers() const { return buffers_; }
  const Limits& limits() const { return limits_; }

  // For composing a body: empty; its bytes live until the caller suspends.
  proto::wire::Buffer& scratch() {
    scratch_.clear();
    return scratch_;
  }
  // The value of the Date field, as of this turn (RFC 9110, 6.6.1).
  std::string_view date();
  // For heads that arrive in one piece. It is nobody's between two calls; a session with half a
  // head has one of its own.
  proto::http::RequestParser& parser() { return parser_; }

 private:
  io::Reactor& reactor_;
  io::BufferGroup& buffers_;
  const Limits& limits_;
  proto::http::RequestParser parser_;
  proto::wire::Buffer scratch_;
  int64_t date_of_ = -1;
  char date_[29];
};

}  // namespace ringpost::http
