#include "tests/simulation/kernel.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include <linux/sock_diag.h>
#include <sys/socket.h>

namespace ringpost::simulation {

Kernel* Kernel::current = nullptr;

namespace {
// What the program may be late by, beyond its own limits.
constexpr Time slack = 1500ms;
}  // namespace

Kernel::Kernel(World& world, Remote* remote)
    : world_(world), remote_(remote), random_(world.random.fork()) {
  current = this;
}

Kernel::~Kernel() {
  current = nullptr;
}

Kernel::Descriptor& Kernel::add(Descriptor::Kind kind) {
  auto descriptor = std::make_unique<Descriptor>();
  descriptor->kernel = this;
  descriptor->kind = kind;
  // Numbers are not used again, so that a descriptor used after its end is known.
  descriptor->fd = next_fd_++;
  return *descriptors_.emplace(descriptor->fd, std::move(descriptor)).first->second;
}

Kernel::Descriptor& Kernel::find(int fd, const char* by) {
  const auto found = descriptors_.find(fd);
  if (found == descriptors_.end())
    world_.violated(std::string(by) + " on descriptor " + std::to_string(fd) +
                    ", which is not open");
  return *found->second;
}

void Kernel::connect(Descriptor& descriptor, const std::shared_ptr<Link>& link, Side& side) {
  descriptor.kind = Descriptor::Kind::connected;
  descriptor.link = link;
  descriptor.side = &side;
  side.owner = &descriptor;
  side.send_room = descriptor.send_room;
}

int Kernel::listen(int send_buffer) {
  Descriptor& descriptor = add(Descriptor::Kind::listening);
  descriptor.send_room = static_cast<size_t>(send_buffer);
  return descriptor.fd;
}

void Kernel::arrive(int listening_fd, const std::shared_ptr<Link>& link) {
  const auto found = descriptors_.find(listening_fd);
  if (found == descriptors_.end()) {  // it listens no longer
    link->server.close(true);
    return;
  }
  found->second->backlog.push_back(link);
  wake(*found->second);
}

std::pair<int, int> Kernel::pair() {
  auto link = std::make_shared<Link>(world_, 0, latency);
  Descriptor& one = add(Descriptor::Kind::fresh);
  Descriptor& other = add(Descriptor::Kind::fresh);
  connect(one, link, link->client);
  connect(other, link, link->server);
  return {one.fd, other.fd};
}

int Kernel::socket(int family) {
  Descriptor& descriptor = add(Descriptor::Kind::fresh);
  descriptor.family = family;
  return descriptor.fd;
}

// As accept4() is told: -EAGAIN when nobody waits.
int Kernel::accept(int fd) {
  Descriptor& listening = find(fd, "accept");
  if (listening.backlog.empty()) return -EAGAIN;
  if (random_.chance(world_.faults.rate(Fault::accept_errors)))
    return random_.chance(500'000) ? -EMFILE : -ECONNABORTED;
  const std::shared_ptr<Link> link = listening.backlog.front();
  listening.backlog.pop_front();
  Descriptor& descriptor = add(Descriptor::Kind::fresh);
  descriptor.accepted = true;
  descriptor.send_room = listening.send_room;
  if (random_.chance(world_.faults.rate(Fault::small_socket_buffers)))
    descriptor.send_room = static_cast<size_t>(random_.between(512, 32'768));
  connect(descriptor, link, link->server);
  link->accepted_at = world_.now();
  ++accepted_;
  world_.note("accepted", link->number, static_cast<int64_t>(accepted_));
  // When it is told to drain it takes all that wait, and answers them.
  const bool drains = drain_shown_ != 0 || drained_at != Time::max();
  if (most_accepted != 0 && accepted_ > most_accepted && !drains)
    world_.violated("MAX_CONNECTIONS is " + std::to_string(most_accepted) + ", and " +
                    std::to_string(accepted_) + " accepted descriptors are open");
  return descriptor.fd;
}

int Kernel::close(int fd, const char* by) {
  Descriptor& descriptor = find(fd, by);
  if (!descriptor.operations.empty())
    world_.violated(std::string(by) + " of descriptor " + std::to_string(fd) +
                    " while the kernel works on it (operation " +
                    std::to_string(descriptor.operations.front()->entry.opcode) + ")");
  if (descriptor.side != nullptr) {
    world_.note("closed", descriptor.link->number, descriptor.abort ? 1 : 0);
    if (!descriptor.link->end_begun) descriptor.link->consumed_at_end = descriptor.side->consumed();
    descriptor.link->end_begun = true;
    descriptor.side->close(descriptor.abort);
  }
  for (const auto& link : descriptor.backlog) link->server.close(true);
  if (descriptor.accepted) --accepted_;
  descriptors_.erase(fd);
  return 0;
}

int Kernel::shutdown(int fd) {
  Descriptor& descriptor = find(fd, "shutdown");
  if (descriptor.side == nullptr) return -ENOTCONN;
  world_.note("shutdown", descriptor.link->number);
  descriptor.link->consumed_at_end = descriptor.side->consumed();
  descriptor.link->end_begun = true;
  descriptor.side->shut_sending();
  return 0;
}

int Kernel::set_option(int fd, int level, int name, const void* value) {
  Descriptor& descriptor = find(fd, "setsockopt");
  if (level == SOL_SOCKET && name == SO_LINGER) {
    const auto* lingering = static_cast<const linger*>(value);
    descriptor.abort = lingering->l_onoff != 0 && lingering->l_linger == 0;
  } else if (level == SOL_SOCKET && name == SO_SNDBUF) {
    // The kernel takes the double of it (socket(7)).
    descriptor.send_room = 2 * static_cast<size_t>(*static_cast<const int*>(value));
    if (descriptor.side != nullptr) descriptor.side->send_room = descriptor.send_room;
  }
  return 0;
}

int Kernel::get_option(int fd, int level, int name, void* value) {
  Descriptor& descriptor = find(fd, "getsockopt");
  if (level == SOL_SOCKET && name == SO_MEMINFO) {
    uint32_t memory[SK_MEMINFO_VARS] = {};
    if (descriptor.side != nullptr) {
      memory[SK_MEMINFO_RMEM_ALLOC] = static_cast<uint32_t>(descriptor.side->readable());
      memory[SK_MEMINFO_WMEM_QUEUED] = static_cast<uint32_t>(descriptor.side->unsent());
      memory[SK_MEMINFO_SNDBUF] = static_cast<uint32_t>(descriptor.send_room);
    }
    std::memcpy(value, memory, sizeof memory);
    return 0;
  }
  int answer = 0;
  if (level == SOL_SOCKET && name == SO_SNDBUF) answer = static_cast<int>(descriptor.send_room);
  if (level == SOL_SOCKET && name == SO_ERROR && descriptor.side != nullptr)
    answer = descriptor.side->take_error();
  std::memcpy(value, &answer, sizeof answer);
  return 0;
}

int Kernel::queued_to_send(int fd, int* bytes) {
  Descriptor& descriptor = find(fd, "ioctl");
  *bytes = descriptor.side != nullptr ? static_cast<int>(descriptor.side->unsent()) : 0;
  return 0;
}

int Kernel::event(unsigned count) {
  Descriptor& descriptor = add(Descriptor::Kind::event);
  descriptor.count = count;
  return descriptor.fd;
}

int Kernel::add_to_event(int fd, uint64_t count) {
  Descriptor& descriptor = find(fd, "eventfd_write");
  descriptor.count += count;
  wake(descriptor);
  return 0;
}

// Something has changed for `descriptor`: what waits on it is tried again soon.
void Kernel::wake(Descriptor& descriptor) {
  for (Operation* operation : descriptor.operations) plan(*operation);
}

void Kernel::plan(Operation& operation) {
  if (operation.planned || operation.finished) return;
  operation.planned = true;
  const bool late = random_.chance(world_.faults.rate(Fault::late_completions));
  world_.after(Time(late ? random_.skewed(50'000'000) : random_.between(0, 20'000)),
               [this, number = operation.number] { runnable_.push_back(number); });
}

// What waited is tried where the program is in the kernel for its completions, and nowhere else
// (IORING_SETUP_DEFER_TASKRUN): so it meets the buffers that were given back before.
void Kernel::run_planned() {
  for (const uint64_t number : std::exchange(runnable_, {})) {
    const auto found = operations_.find(number);
    if (found == operations_.end()) continue;
    found->second->planned = false;
    if (!found->second->finished) attempt(*found->second);
  }
}

void Kernel::attempt(Operation& operation) {
  Descriptor& descriptor = *operation.on;
  switch (operation.entry.opcode) {
    case IORING_OP_RECV:
      return attempt_receive(operation);
    case IORING_OP_SEND:
      return attempt_send(operation);
    case IORING_OP_ACCEPT:
      return attempt_accept(operation);
    case IORING_OP_POLL_ADD:
      if (!descriptor.backlog.empty() || descriptor.count != 0 ||
          (descriptor.side != nullptr && descriptor.side->readable() != 0))
        finish(operation, 1);  // POLLIN
      return;
    case IORING_OP_READ:
      if (descriptor.count == 0) return;
      std::memcpy(reinterpret_cast<void*>(operation.entry.addr), &descriptor.count,
                  sizeof descriptor.count);
      operation.done = descriptor.count;
      descriptor.count = 0;
      return finish(operation, sizeof descriptor.count);
    default:
      return;
  }
}

void Kernel::attempt_receive(Operation& operation) {
  Side& side = *operation.on->side;
  BufferGroup& group = groups_[operation.entry.buf_group];
  const Faults& faults = world_.faults;
  for (int runs = 0; side.readable() != 0; ++runs) {
    if (runs == 8) return plan(operation);
    uint16_t buffer;
    BufferGroup::Buffer* memory;
    if (!pick_buffer(group, buffer, memory)) return finish(operation, -ENOBUFS);
    size_t count = std::min<size_t>(side.readable(), memory->length);
    if (random_.chance(faults.rate(Fault::short_receives)))
      count = static_cast<size_t>(random_.between(1, static_cast<int64_t>(count)));
    fill(*memory, side.unread().substr(0, count));
    side.read(count);
    const uint32_t flags = IORING_CQE_F_BUFFER | static_cast<uint32_t>(buffer)
                                                     << IORING_CQE_BUFFER_SHIFT;
    const auto result = static_cast<int>(count);
    if ((operation.entry.ioprio & IORING_RECV_MULTISHOT) == 0 ||
        random_.chance(faults.rate(Fault::ended_multishots)))
      return finish(operation, result, flags);
    post(&operation, operation.user_data, result, flags | IORING_CQE_F_MORE);
  }
  if (const int error = side.take_error(); error != 0) return finish(operation, -error);
  if (side.at_end() || side.was_reset()) finish(operation, 0);
}

void Kernel::attempt_send(Operation& operation) {
  Side& side = *operation.on->side;
  const size_t length = operation.entry.len;
  const auto taken = [&] { return static_cast<int>(operation.done); };
  if (side.broken()) {
    const int error = side.take_error();
    return finish(operation, operation.done != 0 ? taken() : error != 0 ? -error : -EPIPE);
  }
  const size_t count = std::min(side.send_space(), length - operation.done);
  if (count != 0) {
    const auto* bytes = reinterpret_cast<const char*>(operation.entry.addr);
    side.write({bytes + operation.done, count});
    operation.done += count;
  }
  const unsigned flags = operation.entry.msg_flags;
  const bool whole = operation.done == length;
  if (whole && (operation.entry.flags & IOSQE_CQE_SKIP_SUCCESS) != 0)
    return end(operation, taken());
  if (whole || (operation.done != 0 && (flags & MSG_WAITALL) == 0))
    return finish(operation, taken());
  if ((flags & MSG_DONTWAIT) != 0)
    return finish(operation, operation.done != 0 ? taken() : -EAGAIN);
  if (operation.done != 0 && random_.chance(world_.faults.rate(Fault::partial_sends)))
    finish(operation, taken());
}

void Kernel::attempt_accept(Operation& operation) {
  const bool multishot = (operation.entry.ioprio & IORING_ACCEPT_MULTISHOT) != 0;
  for (;;) {
    const int fd = accept(operation.on->fd);
    if (fd == -EAGAIN) return;
    const bool ends =
        fd < 0 || !multishot || random_.chance(world_.faults.rate(Fault::ended_multishots));
    if (ends) return finish(operation, fd);
    post(&operation, operation.user_data, fd, IORING_CQE_F_MORE);
  }
}

// The bytes of one send have the program's write timeout to be taken, in however many sends.
void Kernel::watch_send(uint64_t number, Time since) {
  const Time stopped = world_.stopped_for();
  world_.at(since + write_timeout + slack, [this, number, since, stopped] {
    const auto found = operations_.find(number);
    if (found == operations_.end() || found->second->finished) return;
    if (const Time more = world_.stopped_for() - stopped; more != Time{})
      return watch_send(number, since + more);
    world_.violated("the write timeout is past, and the client that reads slowly is still served");
  });
}

}  // namespace ringpost::simulation
