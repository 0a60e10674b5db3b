// BodyStream: the body of a request, read as it comes.
//
//     http::BodyStream body(reply.session());
//     for (;;) {
//       auto reading = body.read(until);
//       const auto piece = co_await std::move(reading);
//       if (!piece) co_return refuse(*piece.error());
//       if (piece->empty()) break;  // that was all
//       use(*piece);
//     }
//
// Taken inside Handler::handle, of a request whose intake is streamed, and moved into the coroutine
// that reads it. What has come and was not read is kept, up to a window; then the connection is not
// read any further, until some of it is. The rest of a body whose BodyStream ends is dropped. The
// session outlives it.
#pragma once

#include <expected>
#include <memory>
#include <string_view>
#include <utility>

#include "proto/http/status.h"
#include "proto/wire/buffer.h"
#include "src/io/cancellation.h"
#include "src/io/condition.h"
#include "src/io/task.h"

namespace ringpost::http {

class Session;

class BodyStream {
 public:
  // Bytes that may wait for their reader, and a receive buffer more.
  static constexpr size_t window = 64 * 1024;

  explicit BodyStream(Session& session);
  BodyStream(BodyStream&&) = default;
  BodyStream& operator=(BodyStream&&) = delete;
  ~BodyStream();

  // The next bytes; none at the end. They live until the next read(), or the end of this. Errors,
  // each with the status for its answer: the body did not come within `until` or the body's own
  // time (408), it is larger than it may be (413), it is no chunked body (400), or nobody is there
  // any more (400).
  io::Task<std::expected<std::string_view, const proto::http::Refusal*>> read(io::Until until);

 private:
  friend class Session;

  // What the session has of it.
  struct Incoming {
    Session* session = nullptr;  // null once nothing more comes
    proto::wire::Buffer gathered;
    bool ended = false;
    const proto::http::Refusal* failure = nullptr;
    io::Condition changed;
  };

  std::unique_ptr<Incoming> incoming_;
  proto::wire::Buffer read_;  // what the reader has
};

}  // namespace ringpost::http
