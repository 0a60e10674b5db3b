#include "src/io/acceptor.h"

#include <cassert>
#include <cerrno>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/io/awaited_operation.h"

namespace ringpost::io {

Acceptor::~Acceptor() {
  assert(!armed_ && fd_ == -1 && "close() is awaited before an Acceptor ends");
}

void Acceptor::arm() {
  armed_ = true;
  io_uring_prep_accept(reactor_.ring().prepare(this), fd_, nullptr, nullptr,
                       SOCK_CLOEXEC | SOCK_NONBLOCK);
}

void Acceptor::take(size_t most) {
  while (accepted_.size() < most) {
    const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
      accepted_.push_back(fd);
    else if (errno != ECONNABORTED && errno != EINTR)
      return;
  }
}

Task<Result<void>> Acceptor::arrival(Until until) {
  auto polling = AwaitedOperation(reactor_, until, "poll", [this](io_uring_sqe* entry) {
    io_uring_prep_poll_add(entry, fd_, POLLIN);
  });
  const Result<int> polled = co_await polling;
  if (!polled) co_return std::unexpected(polled.error());
  co_return Result<void>();
}

void Acceptor::complete(int result, uint32_t) {
  armed_ = false;
  if (result >= 0) {
    accepted_.push_back(result);
    take(room_);
  } else if (result != -ECANCELED) {
    error_ = -result;
  }
  if (closing_) return kernel_done_.changed();
  const bool due = !accepted_.empty() || error_ != 0;
  if (due && waiting_ != nullptr && waiting_->outcome() == Wait::Outcome::pending)
    waiting_->notify();
}

bool Acceptor::Next::await_suspend(std::coroutine_handle<> awaiter) {
  if (!suspend(awaiter)) return false;
  acceptor_.waiting_ = this;
  if (!acceptor_.armed_) acceptor_.arm();
  return true;
}

Result<int> Acceptor::Next::await_resume() {
  acceptor_.waiting_ = nullptr;
  if (!acceptor_.accepted_.empty()) {
    const int fd = acceptor_.accepted_.front();
    acceptor_.accepted_.pop_front();
    return fd;
  }
  if (acceptor_.error_ != 0)
    return std::unexpected(Error::system(std::exchange(acceptor_.error_, 0), "accept"));
  return std::unexpected(error("accept"));
}

Task<void> Acceptor::close(std::deque<int>& accepted, Backlog backlog) {
  assert(waiting_ == nullptr);
  closing_ = true;
  if (armed_) reactor_.ring().cancel(*this);
  auto quiet = kernel_done_.wait(reactor_, {}, [this] { return !armed_; });
  co_await quiet;
  if (backlog == Backlog::take) take(SIZE_MAX);
  accepted = std::move(accepted_);
  ::close(std::exchange(fd_, -1));
}

}  // namespace ringpost::io
