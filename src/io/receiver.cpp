#include "src/io/receiver.h"

#include <cassert>
#include <cerrno>
#include <utility>

namespace ringpost::io {

Receiver::~Receiver() {
  assert(state_ == State::closed && "a Receiver's close is awaited before it ends");
}

void Receiver::arm() {
  state_ = State::armed;
  io_uring_sqe* entry = reactor_.ring().prepare(this);
  io_uring_prep_recv_multishot(entry, fd_, nullptr, 0, 0);
  entry->flags |= IOSQE_BUFFER_SELECT;
  entry->buf_group = group_.id();
}

void Receiver::complete(int result, uint32_t flags) {
  if (result > 0) group_.taken();
  const bool last = (flags & IORING_CQE_F_MORE) == 0;
  const auto buffer = static_cast<uint16_t>(flags >> IORING_CQE_BUFFER_SHIFT);
  if (state_ == State::closing) {  // nobody reads it
    if (result > 0) group_.give_back(buffer);
    if (last) state_ = State::closed;
    return kernel_done_.changed();
  }
  if (last) state_ = State::idle;
  if (result > 0) {
    take(buffer, static_cast<uint32_t>(result));
  } else if (result == -ENOBUFS) {
    state_ = State::starved;
    group_.wait_for_buffers(*this);
  } else if (result == -ECANCELED) {
    if (reader_ != nullptr && first_ == none) arm();  // paused, and wanted again by now
  } else if (end_ == End::none) {
    end_ = result == 0 ? End::by_peer : End::receive_failed;
    code_ = -result;
  }
  if (first_ != none || end_ != End::none) wake_reader();
}

void Receiver::take(uint16_t buffer, uint32_t length) {
  if (reader_ != nullptr) {
    group_.received(buffer) = {length, none};
    (first_ == none ? first_ : group_.received(last_).next) = buffer;
    last_ = buffer;
    return;
  }
  overflow_.append({group_.data(buffer), length});
  group_.give_back(buffer);
  if (state_ == State::armed && overflow_.size() >= most_overflow) {
    state_ = State::pausing;
    reactor_.ring().cancel(*this);
  }
}

void Receiver::wake_reader() {
  if (reader_ != nullptr && reader_->outcome() == Wait::Outcome::pending) reader_->notify();
}

void Receiver::interrupt() {
  if (reader_ != nullptr && reader_->outcome() == Wait::Outcome::pending) reader_->interrupt();
}

std::string_view Receiver::take_next() {
  if (first_ == none) {
    held_overflow_.swap(overflow_);
    return held_overflow_.view();
  }
  held_ = first_;
  const BufferGroup::Received& run = group_.received(held_);
  first_ = run.next;
  return {group_.data(held_), run.length};
}

void Receiver::give_back_held() {
  if (held_ != none) group_.give_back(std::exchange(held_, none));
  held_overflow_.release();
}

void Receiver::release() {
  give_back_held();
  if (first_ == none) return;
  proto::wire::Buffer later;
  later.swap(overflow_);
  while (first_ != none) {
    overflow_.append(take_next());
    give_back_held();
  }
  overflow_.append(later.view());
}

void Receiver::sending_failed(Error error) {
  end_ = error.kind == Error::Kind::timed_out ? End::send_timed_out : End::send_failed;
  code_ = error.code;
  wake_reader();
}

Error Receiver::error() const {
  switch (end_) {
    case End::receive_failed:
      return Error::system(code_, "receive");
    case End::send_failed:
      return Error::system(code_, "send");
    case End::send_timed_out:
      return {Error::Kind::timed_out, 0, "send"};
    case End::none:
    case End::by_peer:
      break;
  }
  return {Error::Kind::closed, 0, "receive"};
}

void Receiver::begin_close() {
  assert(reader_ == nullptr && state_ != State::closing && state_ != State::closed);
  for (give_back_held(); first_ != none; give_back_held()) take_next();
  overflow_.release();
  if (BufferGroup::Waiter::linked()) BufferGroup::Waiter::unlink();
  if (state_ == State::armed) reactor_.ring().cancel(*this);
  const bool kernel_has_it = state_ == State::armed || state_ == State::pausing;
  state_ = kernel_has_it ? State::closing : State::closed;
}

bool Receiver::Read::await_ready() {
  receiver_.give_back_held();
  return receiver_.readable() || receiver_.end_ != End::none;
}

bool Receiver::Read::await_suspend(std::coroutine_handle<> awaiter) {
  if (!suspend(awaiter)) return false;
  assert(receiver_.reader_ == nullptr);
  receiver_.reader_ = this;
  if (receiver_.state_ == State::idle) receiver_.arm();
  return true;
}

Result<std::string_view> Receiver::Read::await_resume() {
  receiver_.reader_ = nullptr;
  // Bytes that came in the turn in which the deadline passed are not thrown away.
  if (receiver_.readable()) return receiver_.take_next();
  if (receiver_.end_ != End::none) return std::unexpected(receiver_.error());
  return std::unexpected(error("receive"));
}

}  // namespace ringpost::io
