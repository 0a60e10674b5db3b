#include "src/io/connect.h"

#include <vector>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/io/scope.h"
#include "tests/support/reactor.h"
#include "tests/support/sockets.h"

namespace ringpost::io {
namespace {

using namespace std::chrono_literals;
using tests::run_on_reactor;

TEST(Connect, RefusedIsAnErrorWithItsName) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    const int listening = listen_tcp(*Address::numeric("127.0.0.1", 0), 16).value();
    const Address address = tests::bound_to(listening);
    ::close(listening);
    const Result<int> connected = co_await connect(reactor, address, {reactor.now() + 1s});
    EXPECT_EQ(connected.error().message(), "connect: Connection refused");
  });
}

TEST(Connect, SetsWhatFindsOutThatAPeerHasGone) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    const int listening = listen_tcp(*Address::numeric("127.0.0.1", 0), 16).value();
    const auto option = [](int fd, int level, int name) {
      int value = 0;
      socklen_t length = sizeof value;
      EXPECT_EQ(getsockopt(fd, level, name, &value, &length), 0);
      return value;
    };
    const TcpOptions options{.keepalives = true,
                             .keepalive_idle = 30s,
                             .keepalive_interval = 5s,
                             .keepalive_count = 3,
                             .user_timeout = 1500ms};
    const Until soon{reactor.now() + 1s};
    const Result<int> set = co_await connect(reactor, tests::bound_to(listening), soon, options);
    EXPECT_EQ(option(*set, IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(option(*set, SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(option(*set, IPPROTO_TCP, TCP_KEEPIDLE), 30);
    EXPECT_EQ(option(*set, IPPROTO_TCP, TCP_KEEPINTVL), 5);
    EXPECT_EQ(option(*set, IPPROTO_TCP, TCP_KEEPCNT), 3);
    EXPECT_EQ(option(*set, IPPROTO_TCP, TCP_USER_TIMEOUT), 1500);
    const Result<int> usual = co_await connect(reactor, tests::bound_to(listening), soon);
    EXPECT_EQ(option(*usual, IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(option(*usual, SOL_SOCKET, SO_KEEPALIVE), 0);
    EXPECT_EQ(option(*usual, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
    for (const int fd : {*set, *usual, listening}) ::close(fd);
  });
}

// A listener whose backlog is full leaves a connect waiting.
TEST(Connect, EndsAtItsDeadlineAndByCancellation) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    const int listening = listen_tcp(*Address::numeric("127.0.0.1", 0), 0).value();
    const Address address = tests::bound_to(listening);
    std::vector<int> fill;
    Error last{Error::Kind::closed};
    for (int i = 0; i < 8; ++i) {
      const Result<int> connected = co_await connect(reactor, address, {reactor.now() + 30ms});
      if (!connected) {
        last = connected.error();
        break;
      }
      fill.push_back(*connected);
    }
    EXPECT_EQ(last.message(), "connect: timed out");
    Scope scope(reactor);
    Error cancelled{Error::Kind::closed};
    const auto connecting = [](Reactor& on, Address to, Until until, Error& why) -> Task<void> {
      why = (co_await connect(on, to, until)).error();
    };
    scope.spawn(connecting(reactor, address, scope.until(), cancelled));
    co_await Sleep(reactor, 5ms, nullptr);
    scope.cancel();
    co_await scope.join();
    EXPECT_EQ(cancelled.message(), "connect: cancelled");
    for (const int fd : fill) ::close(fd);
    ::close(listening);
  });
}

TEST(Connect, WhatWasCancelledBeforeItBeganLeavesNoDescriptor) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    const int listening = listen_tcp(*Address::numeric("127.0.0.1", 0), 16).value();
    const Address address = tests::bound_to(listening);
    const int before = tests::free_descriptor();
    Cancellation cancellation;
    cancellation.request();
    const Result<int> cancelled = co_await connect(reactor, address, {never, &cancellation});
    EXPECT_EQ(cancelled.error().message(), "connect: cancelled");
    const Result<int> late = co_await connect(reactor, address, {reactor.now() - 1ms});
    EXPECT_EQ(late.error().message(), "connect: timed out");
    EXPECT_EQ(tests::free_descriptor(), before);
    ::close(listening);
  });
}

// The kernel says which came first: either way the descriptor is the caller's, or closed.
TEST(Connect, DoneInTheTurnOfItsCancellationItIsConnected) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    const int listening = listen_tcp(*Address::numeric("127.0.0.1", 0), 16).value();
    const int before = tests::free_descriptor();
    Scope scope(reactor);
    Result<int> connected(std::unexpected(Error{Error::Kind::closed}));
    const auto connecting = [](Reactor& on, Address to, Until until,
                               Result<int>& result) -> Task<void> {
      result = co_await connect(on, to, until);
    };
    scope.spawn(connecting(reactor, tests::bound_to(listening), scope.until(), connected));
    scope.cancel();  // both leave with the same call; a connection to oneself is there at once
    co_await scope.join();
    EXPECT_TRUE(connected.has_value()) << connected.error().message();
    if (connected) ::close(*connected);
    EXPECT_EQ(tests::free_descriptor(), before);
    ::close(listening);
  });
}

TEST(Connect, AUnixSocketThatIsNotThere) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    const int before = tests::free_descriptor();
    const Result<int> connected =
        co_await connect(reactor, *Address::unix_socket("/nowhere/socket"), {});
    EXPECT_EQ(connected.error().message(), "connect: No such file or directory");
    EXPECT_EQ(tests::free_descriptor(), before);
  });
}

}  // namespace
}  // namespace ringpost::io
