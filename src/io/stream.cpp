#include "src/io/stream.h"

#include <sys/socket.h>

namespace ringpost::io {

namespace {
// A peer that did not take all of it can do nothing with what the kernel still holds, which may be
// megabytes: closing drops that, and the peer sees a reset.
void abort_on_close(int fd) {
  const linger none{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}
}  // namespace

// Once it has begun no completion queues anything: both halves note that the kernel is done, and
// nothing else.
Task<void> Stream::close() {
  if (receiver_.state() == Receiver::State::closed) co_return;
  const bool cut_off = abort_ || unsent() != 0 || failed();
  receiver_.begin_close();
  sender_.begin_close();
  auto received = receiver_.closed();
  co_await received;
  auto sent = sender_.closed();
  co_await sent;
  if (cut_off) abort_on_close(fd());
  io_uring_prep_close(reactor().ring().prepare(nullptr), fd());
}

}  // namespace ringpost::io
