#include "src/io/acceptor.h"

#include <cassert>
#include <cerrno>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include "src/io/once.h"

namespace ringpost::io {

namespace {
// What the kernel keeps for a peer that does not read; it takes the double of it, for its own
// bookkeeping. Left alone it grows to megabytes (tcp_wmem), which are the process's by cgroup.
constexpr int send_buffer_bytes = 128 * 1024;
}  // namespace

Result<int> listen_tcp(const Address& address, int backlog) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd == -1) return std::unexpected(Error::system(errno, "socket"));
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer_bytes, sizeof send_buffer_bytes);
  if (address.family() == AF_INET6) {  // one socket for both families
    const int off = 0;
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  const char* doing = "bind";
  if (::bind(fd, address.data(), address.length) == 0) {
    doing = "listen";
    if (::listen(fd, backlog) == 0) return fd;
  }
  const int error = errno;
  ::close(fd);
  return std::unexpected(Error::system(error, doing));
}

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
  auto polling = Once(reactor_, until, "poll",
                      [this](io_uring_sqe* entry) { io_uring_prep_poll_add(entry, fd_, POLLIN); });
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

Task<void> Acceptor::close(std::deque<int>& accepted) {
  assert(waiting_ == nullptr);
  closing_ = true;
  if (armed_) reactor_.ring().cancel(*this);
  auto quiet = kernel_done_.wait(reactor_, {}, [this] { return !armed_; });
  co_await quiet;
  take(SIZE_MAX);
  accepted = std::move(accepted_);
  ::close(std::exchange(fd_, -1));
}

}  // namespace ringpost::io
