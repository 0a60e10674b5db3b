#include "src/io/ring.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>
#include <utility>

#include <sys/socket.h>

namespace ringpost::io {

namespace {
// In the user_data of a send_now(): an Operation's address is even.
constexpr uint64_t sent_now = 1;
static_assert(alignof(Operation) > sent_now);
// The kernel takes no more than 2^31 - 4096 bytes at a time (MAX_RW_COUNT), and then is content.
constexpr size_t most_sent = 1 << 30;
}  // namespace

RingError::RingError(int error, const char* failed_step)
    : std::runtime_error(std::string(failed_step) + ": " + std::generic_category().message(error)),
      code(error),
      step(failed_step) {}

Ring::Ring(unsigned submission_entries, unsigned completion_entries) {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE |
                 IORING_SETUP_SUBMIT_ALL;
  params.cq_entries = completion_entries;
  // A ring counts towards the user's RLIMIT_MEMLOCK (6.14), and the kernel gives its memory back
  // some time after its end: what has just ended may still be in the way of what begins.
  int result = -ENOMEM;
  for (int waited_ms = 0; waited_ms < 1000 && result == -ENOMEM; waited_ms += 10) {
    if (waited_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    result = io_uring_queue_init_params(submission_entries, &ring_, &params);
  }
  if (result < 0) throw RingError(-result, "io_uring_setup");
  // Saves looking up the ring's descriptor at each call (5.18); without it all works the same.
  io_uring_register_ring_fd(&ring_);
}

Ring::~Ring() {
  // Whoever started an operation has reaped it by now; what an error on the way left behind must
  // not keep its file open.
  io_uring_sync_cancel_reg all{};
  all.flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
  all.timeout.tv_sec = -1;
  all.timeout.tv_nsec = -1;
  io_uring_register_sync_cancel(&ring_, &all);
  io_uring_queue_exit(&ring_);
}

io_uring_sqe* Ring::prepare(Operation* operation) {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  while (entry == nullptr) [[unlikely]] {
    make_room();
    entry = io_uring_get_sqe(&ring_);
  }
  // liburing's prep functions leave user_data alone.
  entry->user_data = reinterpret_cast<uint64_t>(operation);
  return entry;
}

void Ring::send_now(Operation& operation, int fd, std::string_view bytes) {
  bytes = bytes.substr(0, most_sent);
  io_uring_sqe* entry = prepare(nullptr);
  // With MSG_WAITALL less than all is a failure, which is told of all the same (6.1).
  io_uring_prep_send(entry, fd, bytes.data(), bytes.size(),
                     MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL);
  entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
  entry->user_data = reinterpret_cast<uint64_t>(&operation) | sent_now;
  sending_.push_back({&operation, static_cast<int>(bytes.size())});
}

void Ring::cancel(Operation& operation) {
  io_uring_sqe* entry = prepare(nullptr);
  io_uring_prep_cancel64(entry, reinterpret_cast<uint64_t>(&operation), 0);
}

// The submission queue is full in mid-turn. Completions are set aside unhandled when the kernel
// wants room for them first: handling them here would run coroutines inside of others.
void Ring::make_room() {
  const int result = io_uring_submit(&ring_);
  if (result >= 0 || result == -EINTR) return;
  if (result != -EBUSY && result != -EAGAIN) throw RingError(-result, "io_uring_enter");
  unsigned head, seen = 0;
  io_uring_cqe* cqe;
  io_uring_for_each_cqe(&ring_, head, cqe) {
    set_aside_.push_back({cqe->user_data, cqe->res, cqe->flags});
    ++seen;
  }
  io_uring_cq_advance(&ring_, seen);
  io_uring_get_events(&ring_);
}

void Ring::submit(bool wait) {
  check(wait && may_wait() ? io_uring_submit_and_wait(&ring_, 1)
                           : io_uring_submit_and_get_events(&ring_));
}

void Ring::submit_and_wait(unsigned completions, Duration limit) {
  if (!may_wait()) return submit(false);
  __kernel_timespec time{.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds(limit).count()};
  io_uring_cqe* first;
  check(io_uring_submit_and_wait_timeout(&ring_, &first, completions, &time, nullptr));
}

// EBUSY and EAGAIN: the kernel wants its completions taken first; what was not submitted goes with
// the next call.
void Ring::check(int result) {
  if (result < 0 && result != -EINTR && result != -EBUSY && result != -EAGAIN && result != -ETIME)
    throw RingError(-result, "io_uring_enter");
}

// An operation that is told of its completion may prepare the next, and a full submission queue
// then takes completions out of the ring (make_room). So each leaves the queue before it is handed
// over, and those that were there when reap() began are all that it hands over.
unsigned Ring::reap() {
  // Sends of which the kernel would have told by now.
  const bool all_told = io_uring_sq_ready(&ring_) == 0 && !io_uring_cq_has_overflow(&ring_);
  const size_t sent = all_told ? sending_.size() : 0;
  unsigned count = 0;
  if (!set_aside_.empty()) [[unlikely]] {
    for (const Completion& one : std::exchange(set_aside_, {})) {
      ++count;
      hand_over(one);
    }
  }
  for (unsigned left = io_uring_cq_ready(&ring_); left != 0; --left) {
    io_uring_cqe* cqe = nullptr;
    if (io_uring_peek_cqe(&ring_, &cqe) != 0) break;  // the rest was set aside meanwhile
    const Completion one{cqe->user_data, cqe->res, cqe->flags};
    io_uring_cq_advance(&ring_, 1);
    ++count;
    hand_over(one);
  }
  if (set_aside_.empty()) end_sends(sent);
  sends_left_ = !sending_.empty();
  return count;
}

void Ring::hand_over(const Completion& one) {
  if (one.user_data == 0) return;
  auto* const operation = reinterpret_cast<Operation*>(one.user_data & ~sent_now);
  if ((one.user_data & sent_now) != 0) {
    const auto sending = std::ranges::find(sending_, operation, &Sending::operation);
    assert(sending != sending_.end());
    sending->operation = nullptr;
  }
  operation->complete(one.result, one.flags);
}

// Whatever was not told of was taken whole.
void Ring::end_sends(size_t count) {
  for (size_t i = 0; i < count; ++i)
    if (const Sending one = sending_[i]; one.operation != nullptr)
      one.operation->complete(one.bytes, 0);
  sending_.erase(sending_.begin(), sending_.begin() + static_cast<std::ptrdiff_t>(count));
}

}  // namespace ringpost::io
