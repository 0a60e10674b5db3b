#include "src/io/acceptor.h"

#include <deque>
#include <vector>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <unistd.h>

#include "src/io/connect.h"
#include "src/io/scope.h"
#include "tests/support/reactor.h"
#include "tests/support/sockets.h"

namespace ringpost::io {
namespace {

using namespace std::chrono_literals;
using tests::run_on_reactor;

// An acceptor of a port of its own.
struct Listening {
  explicit Listening(Reactor& on)
      : fd(listen_tcp(*Address::numeric("127.0.0.1", 0), 16).value()), acceptor(on, fd) {}

  // A client that is in the backlog when this returns.
  int connect_now() const {
    const Address address = tests::bound_to(fd);
    const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(client, address.data(), address.length), 0);
    return client;
  }
  Task<void> next_into(Result<int>& accepted, Until until) {
    auto next = acceptor.next(64, until);
    accepted = co_await next;
  }
  Task<void> arrival_into(Result<void>& came, Until until) {
    came = co_await acceptor.arrival(until);
  }
  // How many were handed over.
  Task<size_t> close() {
    std::deque<int> left;
    co_await acceptor.close(left);
    for (const int client : left) ::close(client);
    co_return left.size();
  }

  int fd;
  Acceptor acceptor;
};

TEST(Acceptor, HandsOutConnectionsWithoutNagle) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    const int listening = listen_tcp(*Address::numeric("127.0.0.1", 0), 16).value();
    const Address address = tests::bound_to(listening);
    Acceptor acceptor(reactor, listening);
    const Result<int> client = co_await connect(reactor, address, {reactor.now() + 1s});
    EXPECT_TRUE(client.has_value());
    const Result<int> accepted = co_await acceptor.next(64, {reactor.now() + 1s});
    EXPECT_TRUE(accepted.has_value());
    int no_delay = 0;
    socklen_t length = sizeof no_delay;
    getsockopt(*accepted, IPPROTO_TCP, TCP_NODELAY, &no_delay, &length);
    EXPECT_EQ(no_delay, 1) << "inherited from the listening socket";
    ::close(*client);
    ::close(*accepted);
    std::deque<int> left;
    co_await acceptor.close(left);
    EXPECT_TRUE(left.empty());
  });
}

TEST(Acceptor, TimesOutAndIsCancelled) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Acceptor acceptor(reactor, listen_tcp(*Address::numeric("127.0.0.1", 0), 16).value());
    Result<int> accepted = co_await acceptor.next(64, {reactor.now() + 5ms});
    EXPECT_EQ(accepted.error().kind, Error::Kind::timed_out);
    Cancellation cancellation;
    cancellation.request();
    accepted = co_await acceptor.next(64, {never, &cancellation});
    EXPECT_EQ(accepted.error().kind, Error::Kind::cancelled);
    std::deque<int> left;
    co_await acceptor.close(left);
  });
}

TEST(Acceptor, CloseHandsOverWhatWasAcceptedAndFreesThePort) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    const int listening = listen_tcp(*Address::numeric("127.0.0.1", 0), 16).value();
    const Address address = tests::bound_to(listening);
    Acceptor acceptor(reactor, listening);
    EXPECT_FALSE((co_await acceptor.next(64, {reactor.now() + 1ms})).has_value());
    const Result<int> one = co_await connect(reactor, address, {});
    const Result<int> two = co_await connect(reactor, address, {});
    std::deque<int> left;
    co_await acceptor.close(left);
    EXPECT_EQ(left.size(), 2u);
    for (const int fd : left) ::close(fd);
    ::close(*one);
    ::close(*two);
    const Result<int> again = listen_tcp(address, 16);
    EXPECT_TRUE(again.has_value()) << again.error().message();
    if (again) ::close(*again);
  });
}

// A limit of connections is one of descriptors: who comes when there is no room waits in the
// kernel's backlog.
TEST(Acceptor, TakesNoMoreThanThereIsRoomFor) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    const int listening = listen_tcp(*Address::numeric("127.0.0.1", 0), 16).value();
    const Address address = tests::bound_to(listening);
    Acceptor acceptor(reactor, listening);
    std::vector<int> clients;
    for (int i = 0; i < 5; ++i) clients.push_back((co_await connect(reactor, address, {})).value());
    const int before = tests::free_descriptor();
    const Result<int> one = co_await acceptor.next(2, {reactor.now() + 1s});
    co_await Sleep(reactor, 5ms, nullptr);
    EXPECT_EQ(tests::free_descriptor(), before + 2);
    const Result<int> two = co_await acceptor.next(1, {reactor.now() + 1s});
    co_await Sleep(reactor, 5ms, nullptr);
    EXPECT_EQ(tests::free_descriptor(), before + 2);
    const Result<int> three = co_await acceptor.next(1, {reactor.now() + 1s});
    EXPECT_EQ(tests::free_descriptor(), before + 3);
    std::deque<int> left;
    co_await acceptor.close(left);
    EXPECT_EQ(left.size(), 2u) << "closing hands over what waited";
    for (const int fd : {*one, *two, *three}) ::close(fd);
    for (const int fd : left) ::close(fd);
    for (const int fd : clients) ::close(fd);
  });
}

TEST(Acceptor, OutOfDescriptorsIsAnErrorThatPasses) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    const int listening = listen_tcp(*Address::numeric("127.0.0.1", 0), 16).value();
    Acceptor acceptor(reactor, listening);
    const Result<int> client = co_await connect(reactor, tests::bound_to(listening), {});
    rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &limit);
    Result<int> accepted = co_await acceptor.next(64, {reactor.now() + 1s});
    limit.rlim_cur = before;
    setrlimit(RLIMIT_NOFILE, &limit);
    EXPECT_EQ(accepted.error().code, EMFILE);
    accepted = co_await acceptor.next(64, {reactor.now() + 1s});
    EXPECT_TRUE(accepted.has_value());
    if (accepted) ::close(*accepted);
    ::close(*client);
    std::deque<int> left;
    co_await acceptor.close(left);
  });
}

// A caller that gives up in the turn in which somebody comes loses nobody.
TEST(Acceptor, WhoComesInTheTurnOfACancellationIsHandedOut) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Listening l(reactor);
    Scope scope(reactor);
    Result<int> accepted(std::unexpected(Error{Error::Kind::closed}));
    scope.spawn(l.next_into(accepted, scope.until()));
    co_await tests::turn(reactor);
    const int client = l.connect_now();
    scope.cancel();
    co_await scope.join();
    EXPECT_TRUE(accepted.has_value()) << accepted.error().message();
    if (accepted) ::close(*accepted);
    ::close(client);
    EXPECT_EQ(co_await l.close(), 0u);
  });
}

TEST(Acceptor, CancelledWhileItWaitsTheNextCallerGetsWhoComes) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Listening l(reactor);
    Scope scope(reactor);
    Result<int> accepted(std::unexpected(Error{Error::Kind::closed}));
    scope.spawn(l.next_into(accepted, scope.until()));
    co_await tests::turn(reactor);
    scope.cancel();
    co_await scope.join();
    EXPECT_EQ(accepted.error().message(), "accept: cancelled");
    const int client = l.connect_now();
    co_await tests::turn(reactor);  // it is taken, though nobody waits
    co_await l.next_into(accepted, {reactor.now() + 1s});
    EXPECT_TRUE(accepted.has_value());
    if (accepted) ::close(*accepted);
    ::close(client);
    EXPECT_EQ(co_await l.close(), 0u);
  });
}

TEST(Acceptor, WhoComesWhileItClosesIsHandedOver) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    for (const bool accepted_before : {false, true}) {
      Listening l(reactor);
      Result<int> accepted(std::unexpected(Error{Error::Kind::closed}));
      co_await l.next_into(accepted, {reactor.now() + 1ms});  // and the kernel goes on waiting
      const int client = l.connect_now();
      // It is taken before the kernel is asked to stop, and handed over by the completion.
      if (accepted_before) io_uring_get_events(&reactor.ring().raw());
      EXPECT_EQ(co_await l.close(), 1u);
      ::close(client);
    }
  });
}

TEST(Acceptor, ArrivalSaysThatSomebodyWaitsAndTakesNobody) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Listening l(reactor);
    Result<void> came = co_await l.acceptor.arrival({reactor.now() + 5ms});
    EXPECT_EQ(came.error().message(), "poll: timed out");
    Scope scope(reactor);
    scope.spawn(l.arrival_into(came, scope.until()));
    scope.cancel();
    co_await scope.join();
    EXPECT_EQ(came.error().message(), "poll: cancelled");
    const int client = l.connect_now();
    const int before = tests::free_descriptor();
    came = co_await l.acceptor.arrival({reactor.now() + 1s});
    EXPECT_TRUE(came.has_value());
    EXPECT_EQ(tests::free_descriptor(), before);
    ::close(client);
    EXPECT_EQ(co_await l.close(), 1u) << "it waited in the backlog";
  });
}

}  // namespace
}  // namespace ringpost::io
