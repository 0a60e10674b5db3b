// Handler: what answers the requests of a shard. A program derives from it (src/app/routes).
//
// It outlives the listener. The calls are virtual so that this room compiles once; that costs two
// nanoseconds a request.
#pragma once

#include "proto/http/request.h"
#include "src/http/reply.h"

namespace ringpost::http {

class Handler {
 public:
  virtual ~Handler() = default;

  // One request. `request` and its views live until this returns: what a coroutine needs of them it
  // takes by value. The reply is answered here, or moved into a coroutine that answers it
  // (Session::spawn).
  virtual void handle(const proto::http::Request& request, Reply reply) = 0;

  // How many routes it tells apart in the metrics (Reply::route), numbered from 1.
  virtual size_t routes() const { return 0; }

  // Asked of a request whose client waits for 100 before it sends the body. False when the answer
  // is known without: the request is then handed over at once, without its body, and the connection
  // ends after its answer (RFC 9110, 10.1.1). The same holds for the views.
  virtual bool takes_body(const proto::http::Request& /*request*/) { return true; }

  // Bytes that the body of the answer may have, as far as can be told before: no answer is larger
  // often, and few are much smaller. So much of the budget is reserved (see budget.h). The same
  // holds for the views.
  virtual size_t answer_bytes(const proto::http::Request& request) = 0;
  // Answers a request that is not handed over, as the memory for answers was used up for too long.
  virtual void turn_away(Reply reply) = 0;
};

}  // namespace ringpost::http
