// The part of the simulated kernel that begins operations, moves and cancels them.
#include <algorithm>
#include <cerrno>

#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/simulation/checksum.h"
#include "tests/simulation/kernel.h"

namespace ringpost::simulation {

void Kernel::begin(const io_uring_sqe& entry) {
  constexpr unsigned known_flags = IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS;
  if ((entry.flags & ~known_flags) != 0)
    world_.violated("an entry with flags that the simulation does not know");
  switch (entry.opcode) {
    case IORING_OP_NOP:
      return post(nullptr, entry.user_data, 0);
    case IORING_OP_ASYNC_CANCEL:
      return post(nullptr, entry.user_data, cancel(entry.addr));
    case IORING_OP_TIMEOUT_REMOVE:
      if ((entry.timeout_flags & IORING_TIMEOUT_UPDATE) != 0)
        return post(nullptr, entry.user_data, update_timeout(entry));
      return post(nullptr, entry.user_data, cancel(entry.addr));
    case IORING_OP_CLOSE:
      return post(nullptr, entry.user_data, close(entry.fd, "close"));
    case IORING_OP_SHUTDOWN:
      return post(nullptr, entry.user_data, shutdown(entry.fd));
    default:
      break;
  }
  auto made = std::make_unique<Operation>();
  Operation& operation = *made;
  operation.number = next_number_++;
  operation.user_data = entry.user_data;
  operation.entry = entry;
  operations_.emplace(operation.number, std::move(made));
  if (entry.user_data != 0) {
    if (!by_user_data_.emplace(entry.user_data, &operation).second)
      world_.violated("an operation is begun anew before its last completion has come");
  }
  if (entry.opcode == IORING_OP_TIMEOUT) return begin_timeout(operation);
  Descriptor& descriptor = find(entry.fd, "an operation");
  operation.on = &descriptor;
  const bool twice =
      std::any_of(descriptor.operations.begin(), descriptor.operations.end(),
                  [&](const Operation* other) { return other->entry.opcode == entry.opcode; });
  if (twice)
    world_.violated("operation " + std::to_string(entry.opcode) +
                    " is begun twice on one descriptor");
  descriptor.operations.push_back(&operation);
  switch (entry.opcode) {
    case IORING_OP_SEND:
      if (descriptor.side == nullptr) return finish(operation, -ENOTCONN);
      return begin_send(operation);
    case IORING_OP_RECV:
      if (descriptor.side == nullptr) return finish(operation, -ENOTCONN);
      break;
    case IORING_OP_CONNECT:
      return begin_connect(operation);
    case IORING_OP_ACCEPT:
    case IORING_OP_POLL_ADD:
    case IORING_OP_READ:
      break;
    default:
      world_.violated("operation " + std::to_string(entry.opcode) + " is not simulated");
  }
  if (random_.chance(world_.faults.rate(Fault::late_completions)))
    plan(operation);
  else
    attempt(operation);
}

void Kernel::begin_send(Operation& operation) {
  Descriptor& descriptor = *operation.on;
  const io_uring_sqe& entry = operation.entry;
  operation.checksum = checksum_of(reinterpret_cast<const void*>(entry.addr), entry.len);
  const bool rest = descriptor.rest_at == entry.addr && descriptor.rest_at != 0;
  operation.begun = rest ? descriptor.rest_since : world_.now();
  descriptor.rest_at = 0;
  if (descriptor.link != nullptr) world_.note("send", descriptor.link->number, entry.len);
  if ((entry.msg_flags & MSG_DONTWAIT) != 0) return attempt(operation);
  if (random_.chance(world_.faults.rate(Fault::late_completions)))
    plan(operation);
  else
    attempt(operation);
  if (descriptor.accepted && write_timeout != Time{} && !operation.finished)
    watch_send(operation.number, operation.begun);
}

void Kernel::begin_connect(Operation& operation) {
  const uint64_t number = operation.number;
  const auto& address = *reinterpret_cast<const sockaddr_in*>(operation.entry.addr);
  const bool second =
      address.sin_family == AF_INET && address.sin_addr.s_addr == htonl(0x0a00'0002);
  Remote* const remote = second ? second_remote : remote_;
  auto link = std::make_shared<Link>(world_, -static_cast<int64_t>(number), remote_latency);
  link->segment = segment;
  world_.after(Time(random_.between(1'000, remote_latency.count())), [this, number, link, remote] {
    const auto found = operations_.find(number);
    if (found == operations_.end() || found->second->finished) return;
    const int error = remote != nullptr ? remote->connected(link) : ECONNREFUSED;
    if (error < 0) return;  // as if the packets were lost
    if (error == 0) connect(*found->second->on, link, link->client);
    finish(*found->second, -error);
  });
}

void Kernel::begin_timeout(Operation& operation) {
  const auto& at = *reinterpret_cast<const __kernel_timespec*>(operation.entry.addr);
  if (operation.entry.timeout_flags != IORING_TIMEOUT_ABS)
    world_.violated("a timeout that the simulation does not know");
  operation.due = std::chrono::seconds(at.tv_sec) + Time(at.tv_nsec) - boot;
  plan_timeout(operation);
}

void Kernel::plan_timeout(Operation& operation) {
  const uint64_t generation = ++operation.generation;
  world_.at(operation.due, [this, number = operation.number, generation] {
    const auto found = operations_.find(number);
    if (found == operations_.end() || found->second->finished) return;
    if (found->second->generation == generation) finish(*found->second, -ETIME);
  });
}

int Kernel::update_timeout(const io_uring_sqe& entry) {
  const auto found = by_user_data_.find(entry.addr);
  if (found == by_user_data_.end() || found->second->finished) return -ENOENT;
  const auto& at = *reinterpret_cast<const __kernel_timespec*>(entry.off);
  found->second->due = std::chrono::seconds(at.tv_sec) + Time(at.tv_nsec) - boot;
  plan_timeout(*found->second);
  return 0;
}

// What is cancelled completes by itself: with -ECANCELED, or with what was done of it.
int Kernel::cancel(uint64_t user_data) {
  const auto found = by_user_data_.find(user_data);
  if (found == by_user_data_.end() || found->second->finished) return -ENOENT;
  Operation& operation = *found->second;
  const bool race = random_.chance(world_.faults.rate(Fault::raced_cancels));
  // What could just be done is done before the cancellation is looked at.
  if (race && operation.on != nullptr && operation.entry.opcode != IORING_OP_CONNECT) {
    attempt(operation);
    if (operation.finished) return -ENOENT;
  }
  const auto end = [this](Operation& cancelled) {
    finish(cancelled, cancelled.done != 0 ? static_cast<int>(cancelled.done) : -ECANCELED);
  };
  if (race && random_.chance(500'000)) {  // it is being worked on, and stops a moment later
    world_.after(Time(random_.between(0, 3'000'000)), [this, number = operation.number, end] {
      const auto later = operations_.find(number);
      if (later != operations_.end() && !later->second->finished) end(*later->second);
    });
    return -EALREADY;
  }
  end(operation);
  return 0;
}

}  // namespace ringpost::simulation
