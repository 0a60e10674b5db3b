// The memory of answers: what is reserved, in which order who waits is let in, and what a session
// does whose next answer has no room.
#include "src/http/budget.h"

#include <gtest/gtest.h>

#include "tests/http/conversation.h"

namespace ringpost::http {
namespace {

using namespace std::chrono_literals;
using io::Task;
using tests::Conversation;
using tests::converse;
using tests::get;
using tests::ok;

struct Holder final : Budget::Account {
  size_t holds = 0;

 private:
  size_t held() const override { return holds; }
};

constexpr size_t limit = 100'000, most = 60'000;

// A budget of `limit`, of which `first` has reserved `most`.
struct Full {
  explicit Full(io::Reactor& reactor) : budget(reactor, limit) {
    EXPECT_TRUE(budget.reserve(first, most));
  }
  ~Full() {
    for (Holder* holder : {&first, &second, &third}) budget.close(*holder);
  }
  Budget budget;
  Holder first, second, third;
};

TEST(Budget, GivesWhatFits) {
  io::Reactor reactor;
  Full full(reactor);
  EXPECT_TRUE(full.budget.reserve(full.second, limit - most));
  EXPECT_EQ(full.budget.charged(), limit);
  EXPECT_FALSE(full.budget.reserve(full.third, 5'000));
}

TEST(Budget, GivesWhatIsLargerThanAllOfItAlone) {
  io::Reactor reactor;
  Budget budget(reactor, limit);
  Holder first, second;
  EXPECT_TRUE(budget.reserve(first, 2 * limit));
  EXPECT_FALSE(budget.reserve(second, 5'000));
  budget.close(first);
  EXPECT_TRUE(budget.reserve(second, 5'000));
  budget.close(second);
}

TEST(Budget, GivesALittleToWhoHoldsNextToNothingAlways) {
  io::Reactor reactor;
  Full full(reactor);
  ASSERT_TRUE(full.budget.reserve(full.first, limit - most));
  EXPECT_TRUE(full.budget.reserve(full.second, 4096));
  EXPECT_FALSE(full.budget.reserve(full.second, 4096)) << "it holds something now";
  full.third.holds = 5'000;
  EXPECT_FALSE(full.budget.reserve(full.third, 1));
}

TEST(Budget, TheAnswerTakesThePlaceOfWhatWasReserved) {
  io::Reactor reactor;
  Full full(reactor);
  full.first.holds = 20'000;
  full.budget.settle(full.first, most, 20'000);
  EXPECT_EQ(full.budget.charged(), 20'000u);
  EXPECT_TRUE(full.budget.reserve(full.second, limit - 20'000));
  full.first.holds = 30'000;
  full.budget.settle(full.first, 0, 10'000);
  EXPECT_EQ(full.budget.charged(), limit + 10'000) << "what was not reserved counts too";
}

TEST(Budget, LooksUpWhatPeersHaveTakenBeforeItSaysNo) {
  io::Reactor reactor;
  Full full(reactor);
  full.budget.settle(full.first, most, most);  // and holds nothing: its peer was quick
  EXPECT_TRUE(full.budget.reserve(full.second, limit));
  EXPECT_EQ(full.budget.charged(), limit);
}

// Appends `name` to `order` when it has got `bytes`, or "!" and it when it has not.
Task<void> wait_for(Budget& budget, Holder& holder, size_t bytes, io::Until until,
                    std::string& order, char name) {
  const bool granted = co_await budget.wait(holder, bytes, until);
  if (!granted) order += '!';
  order += name;
}

TEST(Budget, LetsInByTurn) {
  io::Reactor reactor;
  Full full(reactor);
  std::string order;
  const auto work = [&]() -> Task<void> {
    io::Scope scope(reactor);
    scope.spawn(wait_for(full.budget, full.second, 50'000, scope.until(), order, 'a'));
    scope.spawn(wait_for(full.budget, full.third, 30'000, scope.until(), order, 'b'));
    co_await io::Sleep(reactor, 5ms, nullptr);
    EXPECT_EQ(order, "") << "what would fit waits behind what came before it";
    EXPECT_FALSE(full.budget.reserve(full.first, 30'000)) << "and nobody overtakes";
    full.budget.settle(full.first, most, 0);
    co_await io::Sleep(reactor, 5ms, nullptr);
    EXPECT_EQ(order, "ab");
    EXPECT_EQ(full.budget.charged(), 80'000u);
    co_await scope.join();
  };
  reactor.run(work());
}

TEST(Budget, LetsInWhenAnAccountIsClosed) {
  io::Reactor reactor;
  Full full(reactor);
  std::string order;
  const auto work = [&]() -> Task<void> {
    io::Scope scope(reactor);
    scope.spawn(wait_for(full.budget, full.second, limit, scope.until(), order, 'a'));
    full.budget.close(full.first);
    co_await scope.join();
  };
  reactor.run(work());
  EXPECT_EQ(order, "a");
}

// Nobody tells when a peer has taken what the kernel held for it.
TEST(Budget, LooksWhileSomebodyWaits) {
  io::Reactor reactor;
  Full full(reactor);
  std::string order;
  full.first.holds = most;
  full.budget.settle(full.first, most, most);
  const auto work = [&]() -> Task<void> {
    io::Scope scope(reactor);
    scope.spawn(wait_for(full.budget, full.second, limit, scope.until(), order, 'a'));
    scope.spawn(wait_for(full.budget, full.third, 10'000, scope.until(), order, 'b'));
    co_await io::Sleep(reactor, 5ms, nullptr);
    full.first.holds = 0;
    co_await io::Sleep(reactor, 120ms, nullptr);
    EXPECT_EQ(order, "a");
    full.second.holds = 0;
    full.budget.settle(full.second, limit, 0);
    co_await scope.join();
  };
  reactor.run(work());
  EXPECT_EQ(order, "ab");
}

TEST(Budget, EndsAWaitWithItsDeadlineAndLetsInWhoStoodBehind) {
  io::Reactor reactor;
  Full full(reactor);
  std::string order;
  const auto work = [&]() -> Task<void> {
    io::Scope scope(reactor);
    const io::Until soon = scope.until(reactor.now() + 20ms);
    scope.spawn(wait_for(full.budget, full.second, limit, soon, order, 'a'));
    scope.spawn(wait_for(full.budget, full.third, 30'000, scope.until(), order, 'b'));
    co_await scope.join();
  };
  reactor.run(work());
  EXPECT_EQ(order, "!ab");
  EXPECT_EQ(full.budget.charged(), most + 30'000);
}

TEST(Budget, EndsAWaitWhenItIsCancelled) {
  io::Reactor reactor;
  Full full(reactor);
  std::string order;
  const auto work = [&]() -> Task<void> {
    io::Scope scope(reactor);
    scope.spawn(wait_for(full.budget, full.second, limit, scope.until(), order, 'a'));
    scope.spawn(wait_for(full.budget, full.third, limit, scope.until(), order, 'b'));
    co_await io::Sleep(reactor, 5ms, nullptr);
    scope.cancel();
    co_await scope.join();
  };
  reactor.run(work());
  EXPECT_EQ(order, "!a!b");
  EXPECT_EQ(full.budget.charged(), most);
}

constexpr std::string_view turned_away =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n"
    "Retry-After: 1\r\n\r\n";

// The whole budget is reserved by somebody else until the test gives it back.
Limits short_of_memory(io::Duration room_timeout) {
  Limits limits;
  limits.answer_memory = limit;
  limits.room_timeout = std::chrono::duration_cast<std::chrono::milliseconds>(room_timeout);
  return limits;
}

TEST(Memory, ARequestWithoutRoomWaitsUnreadUntilThereIs) {
  converse(short_of_memory(10s), [](Conversation& c) -> Task<void> {
    Holder other;
    EXPECT_TRUE(c.context.budget().reserve(other, limit));
    c.client.send(get("/now/small") + get("/large/5000") + get("/now/behind"));
    EXPECT_EQ(co_await c.client.answer(), ok("small")) << "for which there is always room";
    EXPECT_EQ(co_await c.client.within(20ms), "");
    EXPECT_EQ(c.handler.handled, "/now/small");
    c.context.budget().close(other);
    EXPECT_EQ(co_await c.client.answer(), ok(std::string(5'000, 'x')));
    EXPECT_EQ(co_await c.client.answer(), ok("behind"));
  });
}

// Else it had the time of a request once more for PostgreSQL.
TEST(Memory, TheTimeOfARequestRunsWhileItWaits) {
  converse(short_of_memory(10s), [](Conversation& c) -> Task<void> {
    Holder other;
    EXPECT_TRUE(c.context.budget().reserve(other, limit));
    co_await c.client.send_now(get("/waited"));
    co_await c.sleep(60ms);
    c.context.budget().close(other);
    const std::string answer = co_await c.client.answer();
    EXPECT_GE(std::stoi(answer.substr(answer.find("\r\n\r\n") + 4)), 50) << answer;
    c.client.send(get("/waited"));
    EXPECT_EQ(co_await c.client.answer(), ok("0"));
  });
}

TEST(Memory, ARequestThatWaitsForTooLongIsTurnedAwayAndTheConnectionEnds) {
  for (const std::string& request :
       {get("/large/5000"),
        std::string("PUT /large/5000 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxy")})
    converse(short_of_memory(20ms), [&](Conversation& c) -> Task<void> {
      Holder other;
      EXPECT_TRUE(c.context.budget().reserve(other, limit));
      c.client.send(request + get("/now/behind"));
      EXPECT_EQ(co_await c.client.answer(), turned_away);
      EXPECT_EQ(co_await c.client.rest(), "|receive: closed by the peer");
      EXPECT_EQ(c.handler.handled, "");
      c.context.budget().close(other);
    });
}

TEST(Memory, AWaitForItEndsWithTheSession) {
  converse(short_of_memory(10s), [](Conversation& c) -> Task<void> {
    Holder other;
    EXPECT_TRUE(c.context.budget().reserve(other, limit));
    co_await c.client.send_now(get("/large/5000"));
    c.scope.cancel();
    EXPECT_LT(co_await c.ends(), 100);
    c.context.budget().close(other);
  });
}

TEST(Memory, WhatASessionHoldsIsChargedUntilItsPeerHasIt) {
  Limits limits = short_of_memory(10s);
  limits.answer_memory = 5'000'000;
  converse(
      limits,
      [](Conversation& c) -> Task<void> {
        Budget& budget = c.context.budget();
        c.client.send(get("/after/20/first") + get("/large/100000"));
        co_await c.sleep(5ms);
        EXPECT_GE(budget.charged(), 100'000u) << "kept until its turn comes";
        EXPECT_EQ(co_await c.client.answer(), ok("first"));
        EXPECT_EQ(co_await c.client.answer(), ok(std::string(100'000, 'x')));
        co_await c.sleep(5ms);
        Holder other;
        EXPECT_TRUE(budget.reserve(other, 4'990'000)) << "the peer has all of it";
        budget.close(other);
      },
      tests::tcp_pair());
}

// Kept, each answer takes a buffer of its own; written, they stand together.
TEST(Memory, AnswersThatTakeLessWhenTheyAreWrittenLeaveNoDebt) {
  Limits limits = short_of_memory(10s);
  limits.answer_memory = 200'000;
  converse(limits, [](Conversation& c) -> Task<void> {
    Budget& budget = c.context.budget();
    c.client.send(get("/after/30/first") + get("/large/33000"));
    co_await c.sleep(5ms);
    Holder other;
    EXPECT_FALSE(budget.reserve(other, 190'000)) << "it is looked up what is held";
    EXPECT_EQ(co_await c.client.answer(), ok("first"));
    EXPECT_LE(budget.charged(), 200'000u);
  });
}

}  // namespace
}  // namespace ringpost::http
