#include "src/io/resolve.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <list>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "src/io/awaited_operation.h"

namespace ringpost::io {

namespace {

int look_up(const std::string& host, std::vector<Address>& addresses) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  const int result = getaddrinfo(host.c_str(), nullptr, &hints, &found);
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    Address address;
    std::memcpy(&address.storage, one->ai_addr, one->ai_addrlen);
    address.length = one->ai_addrlen;
    addresses.push_back(address);
  }
  if (found != nullptr) freeaddrinfo(found);
  return result;
}

void set_port(Address& address, uint16_t port) {
  if (address.family() == AF_INET)
    reinterpret_cast<sockaddr_in&>(address.storage).sin_port = htons(port);
  else if (address.family() == AF_INET6)
    reinterpret_cast<sockaddr_in6&>(address.storage).sin6_port = htons(port);
}

}  // namespace

// One question. Under the queue's mutex but for the descriptor, which wakes who has asked.
struct Resolver::Waiter {
  ~Waiter() {
    if (answered_fd != -1) ::close(answered_fd);
  }
  int answered_fd = eventfd(0, EFD_CLOEXEC);
  int result = 0;
  std::vector<Address> addresses;
};

// The names that are asked for, in order, and the threads that look them up. Any thread may call.
// Shared by the resolver and these threads.
class Resolver::Queue {
 public:
  Queue(Lookup lookup, Limits limits) : lookup_(std::move(lookup)), limits_(limits) {}

  // Why it can't be asked; no value when it is. `self` is what shares this queue with a thread.
  std::optional<Error> ask(const std::shared_ptr<Queue>& self, const std::string& host,
                           std::shared_ptr<Waiter> waiter) {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(names_.begin(), names_.end(),
                                    [&host](const Name& one) { return one.host == host; });
    if (found != names_.end()) {
      found->waiters.push_back(std::move(waiter));
      return std::nullopt;
    }
    if (names_.size() >= limits_.threads + limits_.queued)
      return Error{Error::Kind::busy, 0, "resolve"};
    names_.push_back({host, {std::move(waiter)}, false});
    if (threads_ == limits_.threads) return std::nullopt;
    try {
      std::thread([self] { self->work(); }).detach();
      ++threads_;
    } catch (const std::system_error& error) {
      if (threads_ != 0) return std::nullopt;  // those that are there will come to it
      names_.pop_back();
      return Error::system(error.code().value(), "thread for getaddrinfo");
    }
    return std::nullopt;
  }

  // A name that nobody waits for is not looked up.
  void leave(const std::string& host, const std::shared_ptr<Waiter>& waiter) {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(names_.begin(), names_.end(),
                                    [&host](const Name& one) { return one.host == host; });
    if (found == names_.end()) return;
    std::erase(found->waiters, waiter);
    if (found->waiters.empty() && !found->running) names_.erase(found);
  }

  // What has come; also for the order of memory: the kernel's own is not known to all tools.
  std::pair<int, std::vector<Address>> take(Waiter& waiter) {
    const std::lock_guard lock(mutex_);
    return {waiter.result, std::move(waiter.addresses)};
  }

 private:
  struct Name {
    std::string host;
    std::vector<std::shared_ptr<Waiter>> waiters;
    bool running;
  };

  void work() {
    pthread_setname_np(pthread_self(), "resolver");
    std::unique_lock lock(mutex_);
    for (;;) {
      const auto next =
          std::find_if(names_.begin(), names_.end(), [](const Name& one) { return !one.running; });
      if (next == names_.end()) break;
      next->running = true;
      const std::string host = next->host;
      lock.unlock();
      std::vector<Address> addresses;
      const int result = lookup_(host, addresses);
      lock.lock();
      for (const std::shared_ptr<Waiter>& waiter : next->waiters) {
        waiter->result = result;
        waiter->addresses = addresses;
        eventfd_write(waiter->answered_fd, 1);
      }
      names_.erase(next);
    }
    --threads_;
  }

  const Lookup lookup_;
  const Limits limits_;
  std::mutex mutex_;
  std::list<Name> names_;
  unsigned threads_ = 0;
};

Resolver::Resolver(Lookup lookup, Limits limits)
    : queue_(std::make_shared<Queue>(std::move(lookup), limits)) {}

// It never ends: a thread that hangs in a look-up uses it until the process does.
Resolver& Resolver::system() {
  static Resolver& resolver = *new Resolver(look_up, {});
  return resolver;
}

Task<Result<std::vector<Address>>> Resolver::resolve(Reactor& reactor, std::string host,
                                                     uint16_t port, Until until) {
  if (const auto address = Address::numeric(host, port)) co_return std::vector<Address>{*address};
  const auto waiter = std::make_shared<Waiter>();
  if (waiter->answered_fd == -1) co_return std::unexpected(Error::system(errno, "eventfd"));
  if (const auto refused = queue_->ask(queue_, host, waiter)) co_return std::unexpected(*refused);
  uint64_t count = 0;
  auto reading = AwaitedOperation(reactor, until, "resolve", [&](io_uring_sqe* entry) {
    io_uring_prep_read(entry, waiter->answered_fd, &count, sizeof count, 0);
  });
  const Result<int> answered = co_await reading;
  if (!answered) {
    queue_->leave(host, waiter);
    co_return std::unexpected(answered.error());
  }
  auto [result, addresses] = queue_->take(*waiter);
  if (result != 0) co_return std::unexpected(Error{Error::Kind::resolve, result, "resolve"});
  for (Address& address : addresses) set_port(address, port);
  co_return std::move(addresses);
}

Task<Result<std::vector<Address>>> resolve(Reactor& reactor, std::string host, uint16_t port,
                                           Until until) {
  return Resolver::system().resolve(reactor, std::move(host), port, until);
}

}  // namespace ringpost::io
