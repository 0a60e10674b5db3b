// Handler: what answers the requests of a shard. A program derives from it (src/app/routes).
//
// It outlives the listener. The calls are virtual so that this room compiles once; that costs two
// nanoseconds a request.
#pragma once

#include <cstdint>

#include "proto/http/request.h"
#include "src/http/reply.h"

namespace ringpost::http {

// What becomes of the body of a request.
struct Intake {
  enum class Kind : uint8_t {
    // The answer is known without it. A client that waits for 100 is answered at once, and the
    // connection ends (RFC 9110, 10.1.1); of another the body is dropped first.
    refused,
    dropped,   // it is read, and nobody sees it
    whole,     // the request is handed over when all of it is there: Session::take_body()
    streamed,  // it is handed over when it begins: BodyStream (body_stream.h)
  };
  Kind kind = Kind::dropped;
  // Larger ones are answered 413. What is whole is in memory: so much of the budget is reserved for
  // it before the client is let send it (see budget.h).
  uint64_t most_bytes = UINT64_MAX;
};

class Handler {
 public:
  virtual ~Handler() = default;

  // One request. `request` and its views live until this returns: what a coroutine needs of them it
  // takes by value. The reply is answered here, or moved into a coroutine that answers it
  // (Session::spawn).
  virtual void handle(const proto::http::Request& request, Reply reply) = 0;

  // How many routes it tells apart in the metrics (Reply::route), numbered from 1.
  virtual size_t routes() const { return 0; }

  // Asked of a request whose body follows. The same holds for the views.
  virtual Intake intake(const proto::http::Request& /*request*/) { return {}; }

  // Bytes that the body of the answer may have, as far as can be told before: no answer is larger
  // often, and few are much smaller. So much of the budget is reserved (see budget.h). The same
  // holds for the views.
  virtual size_t answer_bytes(const proto::http::Request& request) = 0;
  // Answers a request that is not handed over, as the memory for answers was used up for too long.
  virtual void turn_away(Reply reply) = 0;
};

}  // namespace ringpost::http
