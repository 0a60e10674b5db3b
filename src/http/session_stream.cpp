// What a Session does for bodies and answers that come and go in pieces: hands the pieces of a body
// to its reader (body_stream.h), and lets an answer be written in its turn (streamed_reply.h).
#include <cassert>
#include <utility>

#include "src/http/session.h"

namespace ringpost::http {

using proto::http::Answer;
using proto::http::Refusal;

void Session::deliver_to(BodyStream::Incoming& incoming) {
  incoming.ended = !connection_.streaming();  // there is none
  if (incoming.ended) return;
  assert(incoming_ == nullptr && "a body has one reader");
  incoming.session = this;
  incoming_ = &incoming;
}

// A piece of a body that is streamed. False when its reader has to take some of it first.
bool Session::gather() {
  if (incoming_ == nullptr) return true;
  const std::string_view piece = connection_.piece();
  incoming_->gathered.append(piece);
  context_.budget().settle(*this, 0, piece.size());
  incoming_->changed.changed();
  return incoming_ == nullptr || incoming_->gathered.size() <= BodyStream::window;
}

// Nothing more comes of the body that is streamed.
void Session::end_body(const Refusal* failure) {
  if (incoming_ == nullptr) return;
  BodyStream::Incoming& incoming = *std::exchange(incoming_, nullptr);
  incoming.session = nullptr;
  incoming.failure = failure;
  incoming.ended = failure == nullptr;
  incoming.changed.changed();
}

bool Session::may_stream(uint32_t number) const {
  return connection_.is_first(number) && !waits_for_room_;
}

void Session::tell_who_waits_to_stream() {
  io::List<StreamedReply, StreamedReply> all;
  all.take(to_stream_);
  while (!all.empty()) {
    StreamedReply& reply = all.pop_front();
    to_stream_.push_back(reply);
    reply.turn_.changed();
  }
}

bool Session::begin_stream(Ticket& ticket, const Answer& answer) {
  if (!connection_.begin_stream(answer, context_.date(), stream_.out())) return false;
  streams_ = true;
  context_.budget().settle(*this, std::exchange(ticket.reserved, 0), memory_of(head_bytes));
  stream_.send();
  return true;
}

void Session::write_stream(std::string_view piece) {
  connection_.append_piece(piece, stream_.out());
  context_.budget().settle(*this, 0, memory_of(piece.size()));
  stream_.send();
}

io::Stream::Drain Session::stream_room(io::Until until) {
  return stream_.drained(context_.limits().unsent_bytes, until);
}

void Session::end_stream(const Ticket& ticket, size_t bytes) {
  note_in_trail(ticket, bytes);
  streams_ = false;
  const size_t before = answers();
  connection_.end_stream(context_.date(), stream_.out());
  answered(true, before, ticket, ticket.status);
}

void Session::note_in_trail(const Ticket& ticket, size_t bytes) {
  if (trail_) trail_->answered(ticket.number, ticket.status, bytes, now() - ticket.asked);
}

// The peer must not take what has come for all of it: it sees a reset.
void Session::cut_stream(const Ticket& ticket, size_t bytes) {
  note_in_trail(ticket, bytes);
  streams_ = false;
  connection_.cut_stream();
  stream_.abort();
  stream_.shutdown_send();
  scope_.cancel();
  answered(false, answers(), ticket, ticket.status);
}

}  // namespace ringpost::http
