// StreamedReply: an answer that is sent while it is made, piece by piece, and whose length is not
// known before its end. HTTP/1.1 has it in chunks; HTTP/1.0 up to the connection's end, so that it
// can't be had there by who has asked for more behind it: 501.
//
//     http::StreamedReply answer(std::move(reply), Status::ok, "text/csv");
//     while (const auto row = next()) {
//       auto writing = answer.write(row->text, until);
//       const io::Result<void> written = co_await std::move(writing);
//       if (!written) co_return;  // nobody reads it
//     }
//     auto ending = answer.end(until);
//     co_await std::move(ending);
//
// It begins when all earlier answers of its connection are sent. write() waits while the client has
// too much of it unread, Limits::unsent_bytes; a client that takes nothing for write_timeout is
// given up, and an `until` of the session's (Session::until) is cancelled then. One that ends
// before its end() is cut: the connection is, so that the client knows that it has not got all; one
// that has not begun answers 500. While draining it is waited for: what has no end looks at
// Session::draining().
//
// It borrows the session, as the Reply that it was made of.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "src/http/reply.h"
#include "src/io/cancellation.h"
#include "src/io/condition.h"
#include "src/io/error.h"
#include "src/io/list.h"
#include "src/io/task.h"

namespace ringpost::http {

class StreamedReply final : public io::ListNode<StreamedReply> {
 public:
  // As Reply::send, which see; `status` is none without a body.
  StreamedReply(Reply reply, proto::http::Status status, std::string_view content_type,
                std::string_view fields = {});
  StreamedReply(const StreamedReply&) = delete;
  StreamedReply& operator=(const StreamedReply&) = delete;
  ~StreamedReply();

  // Sends `bytes`, which live until it has returned; to HEAD only the head is. Errors: timed_out
  // and cancelled by `until`; closed where the client can't be answered so; what the socket says.
  io::Task<io::Result<void>> write(std::string_view bytes, io::Until until);
  // Sends the end. Once, and nothing after it.
  io::Task<io::Result<void>> end(io::Until until);

 private:
  friend class Session;

  io::Task<io::Result<void>> begin(io::Until until);

  std::optional<Reply> reply_;  // until it has begun
  Session& session_;
  Ticket ticket_;
  std::string content_type_, fields_;
  io::Condition turn_;
  bool begun_ = false;
  size_t bytes_ = 0;  // written
};

}  // namespace ringpost::http
