// Accepting, connecting and resolving.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <unistd.h>

#include "src/io/acceptor.h"
#include "src/io/address.h"
#include "src/io/connect.h"
#include "src/io/listen.h"
#include "src/io/probe.h"
#include "src/io/resolve.h"
#include "src/io/scope.h"
#include "tests/support/reactor.h"

namespace ringpost::io {
namespace {

using namespace std::chrono_literals;
using tests::run_on_reactor;

Address bound_to(int fd) {
  Address address;
  address.length = sizeof address.storage;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.length);
  return address;
}

TEST(Acceptor, HandsOutConnectionsWithoutNagle) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    const int listening = listen_tcp(*Address::numeric("127.0.0.1", 0), 16).value();
    const Address address = bound_to(listening);
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
    const Address address = bound_to(listening);
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
    const Address address = bound_to(listening);
    Acceptor acceptor(reactor, listening);
    std::vector<int> clients;
    for (int i = 0; i < 5; ++i) clients.push_back((co_await connect(reactor, address, {})).value());
    const auto free_descriptor = [] {
      const int fd = ::dup(0);
      ::close(fd);
      return fd;
    };
    const int before = free_descriptor();
    const Result<int> one = co_await acceptor.next(2, {reactor.now() + 1s});
    co_await Sleep(reactor, 5ms, nullptr);
    EXPECT_EQ(free_descriptor(), before + 2);
    const Result<int> two = co_await acceptor.next(1, {reactor.now() + 1s});
    co_await Sleep(reactor, 5ms, nullptr);
    EXPECT_EQ(free_descriptor(), before + 2);
    const Result<int> three = co_await acceptor.next(1, {reactor.now() + 1s});
    EXPECT_EQ(free_descriptor(), before + 3);
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
    const Result<int> client = co_await connect(reactor, bound_to(listening), {});
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

TEST(Connect, RefusedIsAnErrorWithItsName) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    const int listening = listen_tcp(*Address::numeric("127.0.0.1", 0), 16).value();
    const Address address = bound_to(listening);
    ::close(listening);
    const Result<int> connected = co_await connect(reactor, address, {reactor.now() + 1s});
    EXPECT_EQ(connected.error().message(), "connect: Connection refused");
  });
}

// A listener whose backlog is full leaves a connect waiting.
TEST(Connect, EndsAtItsDeadlineAndByCancellation) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    const int listening = listen_tcp(*Address::numeric("127.0.0.1", 0), 0).value();
    const Address address = bound_to(listening);
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

TEST(Resolve, NumericAddressesAndNames) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    auto found = co_await resolve(reactor, "127.0.0.1", 5432, {});
    EXPECT_EQ(found.value().front().text(), "127.0.0.1:5432");
    found = co_await resolve(reactor, "::1", 80, {});
    EXPECT_EQ(found.value().front().text(), "[::1]:80");
    found = co_await resolve(reactor, "localhost", 5432, {reactor.now() + 5s});
    EXPECT_TRUE(found.has_value());
    found = co_await resolve(reactor, "no such host", 5432, {reactor.now() + 5s});
    EXPECT_FALSE(found.has_value());
  });
}

TEST(ProbeKernel, PassesWhereTheseTestsRun) {
  EXPECT_NO_THROW(probe_kernel());
}

TEST(Address, UnixSocketPathsHaveALimit) {
  EXPECT_EQ(Address::unix_socket("/tmp/x")->text(), "/tmp/x");
  EXPECT_TRUE(Address::unix_socket(std::string(107, 'x')).has_value());
  EXPECT_FALSE(Address::unix_socket(std::string(108, 'x')).has_value());
}

}  // namespace
}  // namespace ringpost::io
