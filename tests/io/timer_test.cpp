#include "src/io/timer.h"

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace ringpost::io {
namespace {

using namespace std::chrono_literals;

class Recorded final : public Timer {
 public:
  Recorded(std::vector<int>& log, int name) : log_(log), name_(name) {}

 private:
  void expired() override { log_.push_back(name_); }
  std::vector<int>& log_;
  int name_;
};

const Time start{1000h};

TEST(TimerWheel, ExpiresInOrderAndNotBefore) {
  std::vector<int> log;
  TimerWheel wheel(start);
  Recorded second(log, 2), first(log, 1), third(log, 3);
  wheel.start(second, start + 70ms);
  wheel.start(first, start + 5ms);
  wheel.start(third, start + 5000ms);
  wheel.advance(start + 4ms);
  EXPECT_EQ(log, std::vector<int>{});
  wheel.advance(start + 5ms);
  EXPECT_EQ(log, std::vector<int>{1});
  wheel.advance(start + 4999ms);
  EXPECT_EQ(log, (std::vector<int>{1, 2}));
  wheel.advance(start + 5000ms);
  EXPECT_EQ(log, (std::vector<int>{1, 2, 3}));
}

TEST(TimerWheel, RoundsUpToTheNextTick) {
  std::vector<int> log;
  TimerWheel wheel(start);
  Recorded timer(log, 1);
  wheel.start(timer, start + 1500us);
  wheel.advance(start + 1900us);
  EXPECT_TRUE(log.empty());
  wheel.advance(start + 2ms);
  EXPECT_EQ(log.size(), 1u);
}

TEST(TimerWheel, AStoppedTimerDoesNotExpire) {
  std::vector<int> log;
  TimerWheel wheel(start);
  Recorded stays(log, 1), goes(log, 2);
  wheel.start(stays, start + 10ms);
  wheel.start(goes, start + 10ms);
  wheel.stop(goes);
  EXPECT_FALSE(goes.running());
  wheel.advance(start + 1h);
  EXPECT_EQ(log, std::vector<int>{1});
}

TEST(TimerWheel, NextIsNeverLate) {
  std::vector<int> log;
  TimerWheel wheel(start);
  EXPECT_EQ(wheel.next(), never);
  Recorded timer(log, 1);
  wheel.start(timer, start + 100h);
  Time now = start;
  int wakes = 0;
  while (log.empty()) {
    ASSERT_LE(wheel.next(), start + 100h);
    ASSERT_GT(wheel.next(), now);
    now = wheel.next();
    wheel.advance(now);
    ASSERT_LT(++wakes, 10) << "a sleeping wheel wakes once a level at most";
  }
  EXPECT_EQ(now, start + 100h);
}

TEST(TimerWheel, ADeadlineOfNeverIsNoTimer) {
  std::vector<int> log;
  TimerWheel wheel(start);
  Recorded timer(log, 1);
  wheel.start(timer, never);
  EXPECT_FALSE(timer.running());
  EXPECT_EQ(wheel.next(), never);
}

// Against the obvious model: a list sorted by deadline, with starts and stops at random and uneven
// steps of time.
TEST(TimerWheel, AgreesWithASortedList) {
  std::mt19937 random(7);
  std::vector<int> log;
  TimerWheel wheel(start);
  struct Modelled {
    std::unique_ptr<Recorded> timer;
    Time deadline;
    bool running;
  };
  std::vector<Modelled> all;
  Time now = start;
  for (int round = 0; round < 20000; ++round) {
    const auto delay =
        std::chrono::milliseconds(1LL << random() % 20) + std::chrono::milliseconds(random() % 7);
    const int name = static_cast<int>(all.size());
    all.push_back({std::make_unique<Recorded>(log, name), now + delay, true});
    wheel.start(*all.back().timer, now + delay);
    if (auto& victim = all[random() % all.size()]; victim.running && random() % 2 == 0) {
      wheel.stop(*victim.timer);
      victim.running = false;
    }
    if (random() % 4 == 0) {
      now += std::chrono::milliseconds(random() % 300);
      log.clear();
      wheel.advance(now);
      std::vector<int> expected;
      for (size_t i = 0; i < all.size(); ++i) {
        if (all[i].running && all[i].deadline <= now) {
          expected.push_back(static_cast<int>(i));
          all[i].running = false;
        }
      }
      std::sort(log.begin(), log.end());
      ASSERT_EQ(log, expected) << "round " << round;
    }
  }
  for (auto& each : all) wheel.stop(*each.timer);
  wheel.advance(now + 1000h);
  EXPECT_EQ(wheel.next(), never) << "stopping clears the slots";
}

// One that starts another when it expires, at once and on a higher level.
class Restarting final : public Timer {
 public:
  Restarting(TimerWheel& wheel, Time from) : wheel_(wheel), from_(from) {}
  int count = 0;

 private:
  void expired() override {
    if (++count < 5) wheel_.start(*this, from_ + count * 100ms);
  }
  TimerWheel& wheel_;
  Time from_;
};

TEST(TimerWheel, ATimerMayBeStartedAgainWhenItExpires) {
  TimerWheel wheel(start);
  Restarting timer(wheel, start);
  wheel.start(timer, start + 1ms);
  wheel.advance(start + 250ms);
  EXPECT_EQ(timer.count, 3);
  wheel.advance(start + 1s);
  EXPECT_EQ(timer.count, 5);
}

}  // namespace
}  // namespace ringpost::io
