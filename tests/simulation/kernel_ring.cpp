// The part of the simulated kernel that has to do with the ring itself: entries in, completions
// out, and what is left in the end.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include <sys/socket.h>

#include "tests/simulation/checksum.h"
#include "tests/simulation/kernel.h"

namespace ringpost::simulation {

namespace {
// Calls of the program until what it wrote before it read an order has been handed over: one may
// come before it looks at its completions.
constexpr unsigned turns_to_obey = 2;

constexpr unsigned most_spins = 20'000;
// For the trace.
const char* name_of_result(uint8_t opcode, int result) {
  const bool good = result >= 0;
  switch (opcode) {
    case IORING_OP_RECV:
      return good ? "received" : "receive failed";
    case IORING_OP_SEND:
      return good ? "sent" : "send failed";
    case IORING_OP_CONNECT:
      return good ? "connected" : "connect failed";
    default:
      return good ? "done" : "failed";
  }
}

constexpr uint8_t stale = 0xdd;  // what an entry holds that was taken

}  // namespace

int Kernel::setup(unsigned entries, io_uring* ring, io_uring_params* params) {
  const unsigned completions = params->cq_entries;
  if (world_.faults.enabled(Fault::small_queues)) entries = 1U << random_.between(3, 6);
  auto rings = std::make_unique<Rings>();
  rings->sq_entries = entries;
  rings->cq_entries = completions;
  rings->sq_mask = entries - 1;
  rings->cq_mask = completions - 1;
  rings->array.resize(entries);
  rings->sqes.resize(entries);
  rings->cqes.resize(completions);
  *ring = {};
  ring->sq.khead = &rings->sq_head;
  ring->sq.ktail = &rings->sq_tail;
  ring->sq.kring_mask = &rings->sq_mask;
  ring->sq.kring_entries = &rings->sq_entries;
  ring->sq.kflags = &rings->sq_flags;
  ring->sq.kdropped = &rings->sq_dropped;
  ring->sq.array = rings->array.data();
  ring->sq.sqes = rings->sqes.data();
  ring->sq.ring_mask = rings->sq_mask;
  ring->sq.ring_entries = entries;
  ring->cq.khead = &rings->cq_head;
  ring->cq.ktail = &rings->cq_tail;
  ring->cq.kring_mask = &rings->cq_mask;
  ring->cq.kring_entries = &rings->cq_entries;
  ring->cq.kflags = &rings->cq_flags;
  ring->cq.koverflow = &rings->cq_overflow;
  ring->cq.cqes = rings->cqes.data();
  ring->cq.ring_mask = rings->cq_mask;
  ring->cq.ring_entries = completions;
  ring->flags = params->flags;
  ring->features = params->features = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG;
  ring->ring_fd = ring->enter_ring_fd = -1;
  rings_ = std::move(rings);
  return 0;
}

void Kernel::exit(io_uring* ring) {
  // A timeout names no memory and no descriptor: it may end with the ring.
  std::erase_if(operations_,
                [](const auto& one) { return one.second->entry.opcode == IORING_OP_TIMEOUT; });
  for (const auto& [number, operation] : operations_)
    world_.violated("the ring ends with an operation going on (" +
                    std::to_string(operation->entry.opcode) + ")");
  by_user_data_.clear();
  finished_.clear();
  rings_.reset();
  *ring = {};
}

unsigned Kernel::take_entries(io_uring* ring, unsigned count) {
  io_uring_sq& sq = ring->sq;
  sq.sqe_head = sq.sqe_tail;
  *sq.ktail = sq.sqe_tail;
  taking_ = true;
  for (unsigned i = 0; i < count; ++i) {
    io_uring_sqe& slot = sq.sqes[*sq.khead & sq.ring_mask];
    const io_uring_sqe entry = slot;
    std::memset(static_cast<void*>(&slot), stale, sizeof slot);
    ++*sq.khead;
    begin(entry);
  }
  taking_ = false;
  return count;
}

// io_uring_enter(2): what it returns is the number of entries that were taken, or the error when
// there was none.
int Kernel::enter(io_uring* ring, bool submit, unsigned wait_for, bool get_events, Time limit) {
  const World::Turn turn(world_);
  if (++world_.counts.turns % 16 == 0 && most_unread != 0) check_unread();
  look_at_buffers();
  // The program has worked, and now and then was not let go on at once.
  Time worked = Time(random_.between(500, 3'000));
  if (random_.chance(world_.faults.rate(Fault::raced_cancels)))
    worked += Time(random_.skewed(5'000'000));
  world_.run_until(world_.now() + worked);
  const uint32_t interrupted = world_.faults.rate(Fault::interrupted_submits);
  unsigned waiting = submit ? ring->sq.sqe_tail - *ring->sq.khead : 0;
  const unsigned all = waiting;
  if (waiting != 0 && random_.chance(interrupted))
    waiting = static_cast<unsigned>(random_.below(waiting));
  const unsigned taken = take_entries(ring, waiting);
  if (drain_shown_ != 0 && taken == all && --drain_shown_ == 0) mark_drain();
  if (taken != all)
    return taken != 0 ? static_cast<int>(taken) : random_.chance(500'000) ? -EAGAIN : -EBUSY;
  if (!get_events) {  // what was done at once is shown all the same
    show(ring, true);
    return static_cast<int>(taken);
  }
  unsigned shown = show(ring);
  const Time end = limit == Time::max() ? limit : world_.now() + limit;
  if (end != Time::max() && io_uring_cq_ready(ring) < wait_for) world_.at(end, [] {});
  // A timeout that expires ends the wait, however many others were waited for.
  const uint64_t expired = expired_;
  while (io_uring_cq_ready(ring) < wait_for && world_.now() < end && expired == expired_) {
    if (random_.chance(interrupted)) return taken != 0 ? static_cast<int>(taken) : -EINTR;
    if (!world_.step())
      world_.violated("the program waits, and nothing is left that could wake it");
    shown += show(ring);
  }
  if (shown != 0)
    spins_ = 0;
  else if (++spins_ == most_spins)
    world_.violated("the program spins: " + std::to_string(spins_) +
                    " turns in which nothing completed");
  // Stopped, or without a CPU: what comes meanwhile is not shown before the next call.
  if (random_.chance(world_.faults.rate(Fault::stops) / 64))
    world_.stop_for(Time(random_.between(100'000'000, 8'000'000'000)));
  if (random_.chance(world_.faults.rate(Fault::clock_jumps) / 16))
    jump_wall(Time(random_.between(-40'000'000'000'000, 40'000'000'000'000)));
  return static_cast<int>(taken);
}

void Kernel::post(Operation* operation, uint64_t user_data, int result, uint32_t flags) {
  if (operation != nullptr && operation->on != nullptr && operation->on->link != nullptr)
    world_.note(name_of_result(operation->entry.opcode, result), operation->on->link->number,
                result);
  Time shown_from = world_.now();
  // What a receive brings is found out when it is shown (IORING_SETUP_DEFER_TASKRUN); what else is
  // done, by a worker of the kernel's for one, may be told of later.
  const bool receives = operation != nullptr && operation->entry.opcode == IORING_OP_RECV;
  const bool sends_now = operation != nullptr && operation->entry.opcode == IORING_OP_SEND &&
                         (operation->entry.msg_flags & MSG_DONTWAIT) != 0;
  if (!receives && !sends_now && random_.chance(world_.faults.rate(Fault::late_completions))) {
    shown_from += Time(random_.skewed(50'000'000));
    world_.at(shown_from, [] {});
  }
  if (operation != nullptr) {
    shown_from = std::max(shown_from, operation->shown_from);
    operation->shown_from = shown_from;
  }
  finished_.push_back({shown_from, operation, user_data, result, flags, taking_});
}

void Kernel::finish(Operation& operation, int result, uint32_t flags) {
  operation.finished = true;
  post(&operation, operation.user_data, result, flags);
}

// Moves what has completed into the completion queue, as far as there is room.
unsigned Kernel::show(io_uring* ring, bool at_once_only) {
  if (!at_once_only) run_planned();
  if (finished_.empty()) return 0;
  std::vector<Completion> due, later;
  for (const Completion& one : finished_)
    (one.shown_from <= world_.now() && (one.at_once || !at_once_only) ? due : later).push_back(one);
  finished_.swap(later);
  if (random_.chance(world_.faults.rate(Fault::shuffled_completions))) shuffle(due);
  unsigned shown = 0;
  while (shown < due.size() && io_uring_cq_ready(ring) < ring->cq.ring_entries) {
    const Completion& one = due[shown++];
    io_uring_cqe& slot = ring->cq.cqes[*ring->cq.ktail & ring->cq.ring_mask];
    slot.user_data = one.user_data;
    slot.res = one.result;
    slot.flags = one.flags;
    ++*ring->cq.ktail;
    if (one.operation != nullptr && (one.flags & IORING_CQE_F_MORE) == 0)
      end(*one.operation, one.result);
  }
  // The queue overflows: the rest is kept (IORING_FEAT_NODROP).
  finished_.insert(finished_.begin(), due.begin() + shown, due.end());
  return shown;
}

// Into any order in which those of one operation stay in theirs.
void Kernel::shuffle(std::vector<Completion>& completions) {
  for (size_t i = 0; i + 1 < completions.size(); ++i) {
    const auto begin = completions.begin() + static_cast<std::ptrdiff_t>(i);
    auto chosen = begin + static_cast<std::ptrdiff_t>(random_.below(completions.size() - i));
    if (chosen->operation != nullptr)
      chosen = std::find_if(
          begin, chosen, [&](const Completion& one) { return one.operation == chosen->operation; });
    std::rotate(begin, chosen, chosen + 1);
  }
}

// The last completion of `operation` is shown: the program may do with its memory what it likes
// from now on.
void Kernel::end(Operation& operation, int result) {
  const io_uring_sqe& entry = operation.entry;
  if (entry.opcode == IORING_OP_SEND) {
    if (checksum_of(reinterpret_cast<const void*>(entry.addr), entry.len) != operation.checksum)
      world_.violated("the bytes of a send were changed before its completion had come");
    Descriptor& descriptor = *operation.on;
    const bool cut_short = result > 0 && static_cast<uint32_t>(result) < entry.len;
    descriptor.rest_at = cut_short ? entry.addr + static_cast<uint32_t>(result) : 0;
    descriptor.rest_since = operation.begun;
  }
  if (entry.opcode == IORING_OP_TIMEOUT && result == -ETIME) ++expired_;
  if (entry.opcode == IORING_OP_READ && operation.done >= drain_order) drain_shown_ = turns_to_obey;
  if (operation.on != nullptr) std::erase(operation.on->operations, &operation);
  if (operation.user_data != 0) by_user_data_.erase(operation.user_data);
  operations_.erase(operation.number);
}

// The program has been told to drain, and has handed over what it had written before: where each
// connection stands now.
void Kernel::mark_drain() {
  drained_at = world_.now();
  world_.note("drain is obeyed");
  for (const auto& [fd, descriptor] : descriptors_) {
    if (!descriptor->accepted) continue;
    Link& link = *descriptor->link;
    link.written_at_drain = descriptor->side->written();
    link.consumed_at_drain = descriptor->side->consumed();
    link.quiet_at_drain =
        !world_.faults.enabled(Fault::small_queues) &&
        std::none_of(descriptor->operations.begin(), descriptor->operations.end(),
                     [](const Operation* one) { return one->entry.opcode == IORING_OP_SEND; });
  }
}

// What answers take is kept within the program's budget, beside which each may have a small one.
void Kernel::check_unread() const {
  constexpr size_t small = 8'192;
  size_t unread = 0, most = most_unread;
  for (const auto& [fd, descriptor] : descriptors_) {
    if (!descriptor->accepted) continue;
    unread += descriptor->side->unsent();
    most += small;
  }
  if (unread > most)
    world_.violated("answers take " + std::to_string(unread) + " bytes of the kernel, and " +
                    std::to_string(most) + " are allowed");
}

void Kernel::check_nothing_left(size_t kept) {
  for (const auto& [number, operation] : operations_)
    world_.violated("in the end operation " + std::to_string(operation->entry.opcode) +
                    " is still going on");
  if (descriptors_.size() != kept)
    world_.violated("in the end " + std::to_string(descriptors_.size()) +
                    " descriptors are open, not " + std::to_string(kept));
}

}  // namespace ringpost::simulation
