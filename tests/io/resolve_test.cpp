#include "src/io/resolve.h"

#include <gtest/gtest.h>

#include "src/io/scope.h"
#include "tests/support/reactor.h"

namespace ringpost::io {
namespace {

using namespace std::chrono_literals;
using tests::run_on_reactor;

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

// The thread that looks it up is left to itself.
TEST(Resolve, EndsByCancellationAndAtItsDeadline) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    Cancellation cancellation;
    cancellation.request();
    auto found = co_await resolve(reactor, "localhost", 80, {never, &cancellation});
    EXPECT_EQ(found.error().message(), "resolve: cancelled");
    found = co_await resolve(reactor, "localhost", 80, {reactor.now() - 1ms});
    EXPECT_EQ(found.error().message(), "resolve: timed out");
    found = co_await resolve(reactor, "127.0.0.1", 80, {never, &cancellation});
    EXPECT_TRUE(found.has_value()) << "there is nothing to wait for";
  });
}

}  // namespace
}  // namespace ringpost::io
