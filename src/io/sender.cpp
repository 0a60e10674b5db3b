#include "src/io/sender.h"

#include <cerrno>
#include <utility>

#include <sys/socket.h>

namespace ringpost::io {

Sender::~Sender() {
  assert(state_ == State::closed && "a Sender's close is awaited before it ends");
}

void Sender::flush() {
  if (state_ != State::idle || out_.empty()) return;
  std::swap(flying_, out_);
  due_ = reactor().now() + timeout_;
  state_ = State::flying;
  // One timer serves many sends: it is moved when it expires, not when a send completes.
  if (!running()) reactor().timers().start(*this, due_);
  if (changed_.awaited())
    prepare_send();
  else
    reactor().ring().send_now(*this, receiver_.fd(), flying_.view());
}

// Its completion ends the turn's wait.
void Sender::prepare_send() {
  // MSG_WAITALL: the kernel goes on until all is sent (5.19).
  io_uring_prep_send(reactor().ring().prepare(this), receiver_.fd(), flying_.data(), flying_.size(),
                     MSG_WAITALL | MSG_NOSIGNAL);
}

// A send that was cancelled, that found too little room (or none: EAGAIN), or that a signal has cut
// short, says how much of it was taken.
void Sender::complete(int result, uint32_t) {
  if (state_ == State::closing) {
    reactor().spare_buffers().take_back(flying_);
    state_ = State::closed;
    return changed_.changed();
  }
  if (result > 0) flying_.consume(static_cast<size_t>(result));
  if (result < 0 && result != -ECANCELED && result != -EAGAIN) {
    fail(Error::system(-result, "send"));
  } else if (!flying_.empty()) {
    if (reactor().now() < due_) return prepare_send();
    fail({Error::Kind::timed_out, 0, "send"});
  } else {
    state_ = State::idle;
  }
  reactor().spare_buffers().take_back(flying_);
  if (state_ == State::idle && !out_.empty()) send();
  changed_.changed();
}

void Sender::fail(Error error) {
  state_ = State::failed;
  receiver_.sending_failed(error);
}

void Sender::expired() {
  if (state_ != State::flying) return;
  if (reactor().now() >= due_)
    reactor().ring().cancel(*this);
  else
    reactor().timers().start(*this, due_);
}

void Sender::shutdown() {
  ::shutdown(receiver_.fd(), SHUT_WR);
}

void Sender::begin_close() {
  assert(!changed_.awaited() && state_ != State::closing && state_ != State::closed);
  if (Reactor::Flush::linked()) Reactor::Flush::unlink();
  reactor().timers().stop(*this);
  reactor().spare_buffers().take_back(out_);
  if (state_ == State::flying) reactor().ring().cancel(*this);
  state_ = state_ == State::flying ? State::closing : State::closed;
}

Result<void> Sender::Drain::await_resume() {
  const bool reached = reached_.await_resume();
  const Sender& sender = reached_.predicate().sender;
  if (sender.failed()) return std::unexpected(sender.receiver_.error());
  if (!reached) return std::unexpected(reached_.error("send"));
  return {};
}

}  // namespace ringpost::io
