#include "src/http/streamed_reply.h"

#include <utility>

#include "src/http/session.h"

namespace ringpost::http {

using proto::http::Status;

StreamedReply::StreamedReply(Reply reply, Status status, std::string_view content_type,
                             std::string_view fields)
    : reply_(std::move(reply)),
      session_(reply_->session()),
      ticket_(reply_->ticket_),
      content_type_(content_type),
      fields_(fields) {
  ticket_.status = status;
}

StreamedReply::~StreamedReply() {
  if (begun_) session_.cut_stream(ticket_, bytes_);
}

io::Task<io::Result<void>> StreamedReply::begin(io::Until until) {
  while (!session_.may_stream(ticket_.number)) {
    session_.wait_to_stream(*this);
    auto turn = turn_.wait(session_.reactor(), until,
                           [this] { return session_.may_stream(ticket_.number); });
    const bool come = co_await turn;
    unlink();
    // Its turn may have come and gone within one of the reactor's.
    if (!come && turn.outcome() != io::Wait::Outcome::event)
      co_return std::unexpected(turn.error("send"));
  }
  if (!session_.begin_stream(
          ticket_, {.status = ticket_.status, .content_type = content_type_, .fields = fields_})) {
    reply_->send(Status::not_implemented, "application/json",
                 R"({"error":"not_implemented","detail":"HTTP/1.0 has this answer alone"})");
    reply_.reset();
    co_return std::unexpected(io::Error{io::Error::Kind::closed, 0, "send"});
  }
  reply_->give_up();
  reply_.reset();
  begun_ = true;
  co_return io::Result<void>();
}

io::Task<io::Result<void>> StreamedReply::write(std::string_view bytes, io::Until until) {
  if (!begun_) {
    auto beginning = begin(until);
    const io::Result<void> begun = co_await std::move(beginning);
    if (!begun) co_return begun;
  }
  session_.write_stream(bytes);
  bytes_ += bytes.size();
  auto draining = session_.stream_room(until);
  const io::Result<void> drained = co_await draining;
  co_return drained;
}

io::Task<io::Result<void>> StreamedReply::end(io::Until until) {
  if (!begun_) {
    auto beginning = begin(until);
    const io::Result<void> begun = co_await std::move(beginning);
    if (!begun) co_return begun;
  }
  begun_ = false;
  session_.end_stream(ticket_, bytes_);
  co_return io::Result<void>();
}

}  // namespace ringpost::http
