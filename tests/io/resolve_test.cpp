#include "src/io/resolve.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>
#include <netdb.h>

#include "src/io/scope.h"
#include "src/io/sleep.h"
#include "tests/support/reactor.h"

namespace ringpost::io {
namespace {

using namespace std::chrono_literals;
using tests::run_on_reactor;

using Found = Result<std::vector<Address>>;

std::string text_of(const Found& found) {
  if (!found) return found.error().message();
  std::string text;
  for (const Address& address : *found) text.append(text.empty() ? "" : " ").append(address.text());
  return text;
}

TEST(Resolve, NumericAddressesAndNames) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    auto found = co_await resolve(reactor, "127.0.0.1", 5432, {});
    EXPECT_EQ(text_of(found), "127.0.0.1:5432");
    found = co_await resolve(reactor, "::1", 80, {});
    EXPECT_EQ(text_of(found), "[::1]:80");
    found = co_await resolve(reactor, "localhost", 5432, {reactor.now() + 5s});
    EXPECT_TRUE(text_of(found) == "127.0.0.1:5432" || text_of(found) == "[::1]:5432" ||
                text_of(found) == "[::1]:5432 127.0.0.1:5432" ||
                text_of(found) == "127.0.0.1:5432 [::1]:5432")
        << text_of(found);
    found = co_await resolve(reactor, "no such host", 5432, {reactor.now() + 5s});
    EXPECT_FALSE(found.has_value());
  });
}

TEST(Resolve, EndsByCancellationAndAtItsDeadline) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Cancellation cancellation;
    cancellation.request();
    auto found = co_await resolve(reactor, "localhost", 80, {never, &cancellation});
    EXPECT_EQ(text_of(found), "resolve: cancelled");
    found = co_await resolve(reactor, "localhost", 80, {reactor.now() - 1ms});
    EXPECT_EQ(text_of(found), "resolve: timed out");
    found = co_await resolve(reactor, "127.0.0.1", 80, {never, &cancellation});
    EXPECT_TRUE(found.has_value()) << "there is nothing to wait for";
  });
}

// A name service that answers when it is told to, with as many addresses as the name is long. It
// outlives its resolver: a look-up can't be ended.
struct Service {
  Resolver::Lookup lookup() {
    return [this](const std::string& host, std::vector<Address>& addresses) {
      std::unique_lock lock(mutex);
      names.push_back(host);
      ++running;
      most = std::max(most, running);
      changed.wait(lock, [this] { return answers; });
      --running;
      if (host == "nowhere") return EAI_NONAME;
      for (size_t i = 1; i <= host.size(); ++i)
        addresses.push_back(*Address::numeric("10.0.0." + std::to_string(i), 0));
      return 0;
    };
  }
  void answer() {
    const std::lock_guard lock(mutex);
    answers = true;
    changed.notify_all();
  }
  size_t asked() {
    const std::lock_guard lock(mutex);
    return names.size();
  }

  std::mutex mutex;
  std::condition_variable changed;
  bool answers = false;
  std::vector<std::string> names;
  unsigned running = 0, most = 0;
};

Task<void> ask(Resolver& resolver, Reactor& reactor, std::string host, Found& found,
               Until until = {}) {
  found = co_await resolver.resolve(reactor, host, 5432, until);
}

Task<void> come_to(Service& service, Reactor& reactor, size_t asked) {
  for (int i = 0; i < 2'000 && service.asked() < asked; ++i) co_await Sleep(reactor, 1ms, nullptr);
  EXPECT_EQ(service.asked(), asked);
}

const Found nothing = std::unexpected(Error{Error::Kind::closed, 0, "not asked"});

TEST(Resolver, WhoAsksForTheSameNameWaitsForTheSameLookup) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Service service;
    Resolver resolver(service.lookup(), {.threads = 2, .queued = 8});
    Found one = nothing, two = nothing, other = nothing, none = nothing;
    Scope scope(reactor);
    scope.spawn(ask(resolver, reactor, "ab", one));
    co_await come_to(service, reactor, 1);
    scope.spawn(ask(resolver, reactor, "ab", two));  // it runs already
    scope.spawn(ask(resolver, reactor, "abc", other));
    scope.spawn(ask(resolver, reactor, "nowhere", none));
    service.answer();
    co_await scope.join();
    EXPECT_EQ(text_of(one), "10.0.0.1:5432 10.0.0.2:5432");
    EXPECT_EQ(text_of(two), "10.0.0.1:5432 10.0.0.2:5432");
    EXPECT_EQ(text_of(other), "10.0.0.1:5432 10.0.0.2:5432 10.0.0.3:5432");
    EXPECT_EQ(text_of(none), std::string("resolve: ") + gai_strerror(EAI_NONAME));
    EXPECT_EQ(service.asked(), 3u);
    // Nothing is kept.
    co_await ask(resolver, reactor, "ab", one);
    EXPECT_EQ(service.asked(), 4u);
  });
}

TEST(Resolver, ThreadsAndQueueAreBounded) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Service service;
    Resolver resolver(service.lookup(), {.threads = 2, .queued = 3});
    std::vector<Found> found(5, nothing);
    Found full = nothing, same = nothing;
    Scope scope(reactor);
    for (size_t i = 0; i < found.size(); ++i)
      scope.spawn(ask(resolver, reactor, std::string(i + 1, 'x'), found[i]));
    co_await ask(resolver, reactor, "one more", full);
    EXPECT_EQ(text_of(full), "resolve: too many wait already");
    scope.spawn(ask(resolver, reactor, "x", same));  // takes no place
    co_await come_to(service, reactor, 2);
    service.answer();
    co_await scope.join();
    for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i].value().size(), i + 1);
    EXPECT_EQ(same.value().size(), 1u);
    EXPECT_EQ(service.most, 2u);
    EXPECT_EQ(service.asked(), 5u);
  });
}

// Each retry waits for the one that hangs: it takes no thread of its own, and others go on.
TEST(Resolver, OneThatHangsKeepsOneThread) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Service service;
    Resolver resolver(service.lookup(), {.threads = 2, .queued = 8});
    Found found = nothing;
    for (int i = 0; i < 10; ++i) {
      co_await ask(resolver, reactor, "slow", found, {reactor.now() + 5ms});
      EXPECT_EQ(text_of(found), "resolve: timed out");
    }
    EXPECT_EQ(service.asked(), 1u);
    // One that waits for a thread and is given up is not looked up any more.
    Scope scope(reactor);
    Found second = nothing, given_up = nothing, cancelled = nothing;
    scope.spawn(ask(resolver, reactor, "second", second));
    co_await come_to(service, reactor, 2);
    Cancellation cancellation;
    scope.spawn(ask(resolver, reactor, "third", given_up, {reactor.now() + 5ms}));
    scope.spawn(ask(resolver, reactor, "fourth", cancelled, {never, &cancellation}));
    cancellation.request();
    co_await Sleep(reactor, 20ms, nullptr);
    EXPECT_EQ(text_of(given_up), "resolve: timed out");
    EXPECT_EQ(text_of(cancelled), "resolve: cancelled");
    service.answer();
    co_await scope.join();
    EXPECT_EQ(second.value().size(), 6u);
    co_await ask(resolver, reactor, "slow", found);
    EXPECT_EQ(found.value().size(), 4u);
    EXPECT_LE(service.asked(), 3u) << "slow, second, and slow again if it had ended";
  });
}

// Shards ask at the same time, each on its own thread.
TEST(Resolver, AnyThreadMayAsk) {
  Service service;
  service.answer();
  Resolver resolver(service.lookup(), {.threads = 2, .queued = 64});
  std::atomic<int> good = 0;
  std::vector<std::thread> shards;
  for (int shard = 0; shard < 4; ++shard) {
    shards.emplace_back([&resolver, &good] {
      run_on_reactor([&](Reactor& reactor) -> Task<void> {
        for (size_t i = 1; i <= 50; ++i) {
          Found found = nothing;
          co_await ask(resolver, reactor, std::string(i % 5 + 1, 'x'), found);
          good += found && found->size() == i % 5 + 1 ? 1 : 0;
        }
      });
    });
  }
  for (std::thread& shard : shards) shard.join();
  EXPECT_EQ(good, 200);
  EXPECT_LE(service.most, 2u);
}

// It may end before a look-up does.
TEST(Resolver, EndsBeforeOneThatHangs) {
  auto service = std::make_shared<Service>();
  run_on_reactor([&](Reactor& reactor) -> Task<void> {
    Resolver resolver([service, lookup = service->lookup()](
                          const std::string& host,
                          std::vector<Address>& addresses) { return lookup(host, addresses); },
                      {});
    Found found = nothing;
    co_await ask(resolver, reactor, "slow", found, {reactor.now() + 20ms});
    EXPECT_EQ(text_of(found), "resolve: timed out");
  });
  service->answer();
}

}  // namespace
}  // namespace ringpost::io
