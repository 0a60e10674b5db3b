#include "src/io/stream.h"

#include <cassert>
#include <cerrno>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

namespace ringpost::io {

namespace {
// Bytes that may gather while nobody reads, before receiving pauses.
constexpr size_t most_overflow = 16 * 1024;

// A peer that did not take all of it can do nothing with what the kernel still holds, which may be
// megabytes: closing drops that, and the peer sees a reset.
void abort_on_close(int fd) {
  const linger none{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}
}  // namespace

Stream::Stream(Reactor& reactor, BufferGroup& group, int fd, Duration send_timeout)
    : reactor_(reactor), group_(group), send_timeout_(send_timeout), fd_(fd) {}

Stream::~Stream() {
  assert(fd_ == -1 && "close() is awaited before a Stream ends");
}

void Stream::arm() {
  armed_ = true;
  io_uring_sqe* entry = reactor_.ring().prepare(&receive_);
  io_uring_prep_recv_multishot(entry, fd_, nullptr, 0, 0);
  entry->flags |= IOSQE_BUFFER_SELECT;
  entry->buf_group = group_.id();
}

void Stream::received(int result, uint32_t flags) {
  if ((flags & IORING_CQE_F_MORE) == 0) armed_ = pausing_ = false;
  const auto buffer = static_cast<uint16_t>(flags >> IORING_CQE_BUFFER_SHIFT);
  if (closing_) {  // nobody reads it
    if (result > 0) group_.give_back(buffer);
    return kernel_done_.changed();
  }
  if (result > 0) {
    const auto length = static_cast<uint32_t>(result);
    if (reader_ != nullptr) {
      group_.received(buffer) = {length, none};
      (first_ == none ? first_ : group_.received(last_).next) = buffer;
      last_ = buffer;
    } else {
      overflow_.append({group_.data(buffer), length});
      group_.give_back(buffer);
      if (armed_ && !pausing_ && overflow_.size() >= most_overflow) {
        pausing_ = true;
        reactor_.ring().cancel(receive_);
      }
    }
  } else if (result == -ENOBUFS) {
    group_.wait_for_buffers(*this);
  } else if (result == -ECANCELED) {
    if (reader_ != nullptr && first_ == none) arm();  // paused, and wanted again by now
  } else {
    ended_ = true;
    if (result < 0 && !failed_) error_ = Error::system(-result, "receive");
  }
  if (first_ != none || ended_) wake_reader();
}

void Stream::wake_reader() {
  if (reader_ != nullptr && reader_->outcome() == Wait::Outcome::pending) reader_->notify();
}

std::string_view Stream::take_next() {
  if (first_ == none) {
    held_overflow_.swap(overflow_);
    return held_overflow_.view();
  }
  held_ = first_;
  const BufferGroup::Received& run = group_.received(held_);
  first_ = run.next;
  return {group_.data(held_), run.length};
}

void Stream::give_back_held() {
  if (held_ != none) group_.give_back(std::exchange(held_, none));
  held_overflow_.release();
}

void Stream::release() {
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

void Stream::flush() {
  if (!sending_ && !out_.empty() && !failed_) {
    std::swap(flying_, out_);
    send_due_ = reactor_.now() + send_timeout_;
    prepare_send();
  }
}

void Stream::prepare_send() {
  sending_ = true;
  // One timer serves many sends: it is moved when it expires, not when a send completes.
  if (!running()) reactor_.timers().start(*this, send_due_);
  // MSG_WAITALL: the kernel goes on until all is sent (5.19).
  io_uring_prep_send(reactor_.ring().prepare(&send_), fd_, flying_.data(), flying_.size(),
                     MSG_WAITALL | MSG_NOSIGNAL);
}

// A send that was cancelled, or that a signal has cut short, says how much of it was taken.
void Stream::sent(int result) {
  sending_ = false;
  if (closing_) return kernel_done_.changed();  // close() gives the buffers back
  if (result > 0) flying_.consume(static_cast<size_t>(result));
  if (result < 0 && result != -ECANCELED) {
    fail(Error::system(-result, "send"));
  } else if (!flying_.empty()) {
    if (reactor_.now() < send_due_) return prepare_send();
    fail(Error{Error::Kind::timed_out, 0, "send"});
  }
  reactor_.spare_buffers().take_back(flying_);
  if (!out_.empty() && !failed_) send();
  if (drainer_ != nullptr && drainer_->outcome() == Wait::Outcome::pending && drainer_->reached())
    drainer_->notify();
}

void Stream::fail(Error error) {
  failed_ = true;
  error_ = error;
  wake_reader();
}

void Stream::expired() {
  if (!sending_ || closing_) return;
  if (reactor_.now() >= send_due_)
    reactor_.ring().cancel(send_);
  else
    reactor_.timers().start(*this, send_due_);
}

void Stream::shutdown_send() {
  ::shutdown(fd_, SHUT_WR);
}

// From here on no completion queues anything: received() and sent() note that the kernel is done,
// and nothing else.
Task<void> Stream::close() {
  assert(reader_ == nullptr && drainer_ == nullptr);
  closing_ = true;
  if (Reactor::Flush::linked()) Reactor::Flush::unlink();
  if (BufferGroup::Waiter::linked()) BufferGroup::Waiter::unlink();
  reactor_.timers().stop(*this);
  if (armed_ && !pausing_) reactor_.ring().cancel(receive_);
  if (sending_) reactor_.ring().cancel(send_);
  const bool cut_off = unsent() != 0;
  auto quiet = kernel_done_.wait(reactor_, {}, [this] { return !armed_ && !sending_; });
  co_await quiet;
  if (cut_off) abort_on_close(fd_);
  release();
  overflow_.release();
  reactor_.spare_buffers().take_back(out_);
  reactor_.spare_buffers().take_back(flying_);
  io_uring_prep_close(reactor_.ring().prepare(nullptr), std::exchange(fd_, -1));
}

bool Stream::Read::await_ready() {
  stream_.give_back_held();
  return stream_.readable() || stream_.ended_ || stream_.failed_;
}

bool Stream::Read::await_suspend(std::coroutine_handle<> awaiter) {
  if (!suspend(awaiter)) return false;
  assert(stream_.reader_ == nullptr);
  stream_.reader_ = this;
  if (!stream_.armed_ && !stream_.BufferGroup::Waiter::linked()) stream_.arm();
  return true;
}

Result<std::string_view> Stream::Read::await_resume() {
  stream_.reader_ = nullptr;
  // Bytes that came in the turn in which the deadline passed are not thrown away.
  if (stream_.readable()) return stream_.take_next();
  if (stream_.ended_ || stream_.failed_) return std::unexpected(stream_.error_);
  return std::unexpected(error("receive"));
}

bool Stream::Drain::await_suspend(std::coroutine_handle<> awaiter) {
  if (!suspend(awaiter)) return false;
  assert(stream_.drainer_ == nullptr);
  stream_.drainer_ = this;
  return true;
}

Result<void> Stream::Drain::await_resume() {
  stream_.drainer_ = nullptr;
  if (stream_.failed_) return std::unexpected(stream_.error_);
  if (reached()) return {};
  return std::unexpected(error("send"));
}

}  // namespace ringpost::io
