// Width in small worlds: what it settles at, and how long it is away from there.
#include "src/pg/width.h"

#include <algorithm>
#include <functional>
#include <random>

#include <gtest/gtest.h>

namespace ringpost::pg {
namespace {

using namespace std::chrono_literals;

// Queries a second that PostgreSQL can answer when this many backends are used.
using Capacity = std::function<double(uint32_t width)>;

// Another backend brings as much again, as long as there is a CPU for it; where there is none,
// those that compete cost a part more.
Capacity cpus(double count, double penalty = 0.3) {
  return [=](uint32_t width) {
    const double used = std::min<double>(width, count);
    const double competing = width > count ? (width - count) / width : 0;
    return 50'000 * used / (1 + penalty * competing);
  };
}

class World {
 public:
  explicit World(Width& width) : width_(width) {}

  Capacity capacity = cpus(1);
  double clients = 64;       // that ask again when they are answered; or,
  double arrivals = 0;       // when this is not 0, queries a second that come whatever happens
  double elsewhere = 20e-6;  // seconds of a query that are not PostgreSQL's
  double noise = 0;          // capacity varies by this part from one 10 ms to the next
  double stalls = 0;         // of the 10 ms, in which nothing is answered

  // Goes on for some time; the average width that was in force, and the part of the time that it
  // was not `usual`.
  struct Seen {
    double average = 0, away = 0;
  };
  Seen run(std::chrono::milliseconds time, uint32_t usual = 0) {
    Seen seen;
    for (auto i = 0; i < time.count(); ++i) {
      step();
      seen.average += width_.in_force();
      seen.away += width_.in_force() == usual ? 0 : 1;
    }
    seen.average /= static_cast<double>(time.count());
    seen.away /= static_cast<double>(time.count());
    return seen;
  }

 private:
  void step() {
    constexpr double dt = 1e-3;
    if (steps_++ % 10 == 0) {
      std::uniform_real_distribution<double> part(0, 1);
      factor_ = part(random_) < stalls ? 0 : 1 + noise * (2 * part(random_) - 1);
    }
    const double most = capacity(width_.in_force()) * factor_ * dt;
    double answered = 0;
    if (arrivals > 0) {
      in_flight_ += arrivals * dt;
      answered = std::min(in_flight_, most);
      in_flight_ -= answered;
    } else {
      in_flight_ = clients;
      answered = std::min(most, clients * dt / elsewhere);
    }
    answered_ += answered;
    waited_ns_ += in_flight_ * dt * 1e9 + answered * elsewhere * 1e9;
    work_.answered = static_cast<uint64_t>(answered_);
    work_.waited_ns = static_cast<uint64_t>(waited_ns_);
    work_.in_flight = static_cast<uint64_t>(in_flight_);
    if (in_flight_ / width_.in_force() >= 8) work_.pressed = work_.answered;
    width_.observe(now_ += 1ms, work_);
  }

  Width& width_;
  Width::Work work_;
  io::Time now_{1h};
  double answered_ = 0, waited_ns_ = 0, in_flight_ = 0, factor_ = 1;
  uint64_t steps_ = 0;
  std::minstd_rand random_;
};

TEST(Width, IsAsManyAsThereAreCpus) {
  for (const uint32_t count : {1U, 2U, 4U, 8U}) {
    Width width(1, 30);
    World world(width);
    world.capacity = cpus(count);
    world.run(5s);
    // From 5 it is 8 that is tried, and from 3, 5: within half as many again.
    EXPECT_GE(width.settled(), count) << count;
    EXPECT_LE(width.settled(), count + count / 2) << count;
    const uint32_t settled = width.settled();
    EXPECT_LT(world.run(60s, settled).away, 0.05) << count;
    EXPECT_EQ(width.settled(), settled) << count;
  }
}

TEST(Width, StaysAtOneWhereMoreBringNothing) {
  for (const double penalty : {0.0, 0.5, 2.0}) {
    Width width(1, 30);
    World world(width);
    world.capacity = cpus(1, penalty);
    const World::Seen seen = world.run(60s, 1);
    EXPECT_EQ(width.settled(), 1u);
    EXPECT_LT(seen.away, 0.03) << penalty;
    EXPECT_LT(seen.average, 1.03) << penalty;
  }
}

TEST(Width, ComesDownToWhatHelps) {
  for (const uint32_t count : {1U, 2U, 4U}) {
    Width width(30, 30);
    World world(width);
    world.capacity = cpus(count, 0);
    world.run(10s);
    EXPECT_GE(width.settled(), count);
    EXPECT_LE(width.settled(), count + count / 2 + 1);
  }
}

// Clients that do not wait for each other, at half of what two backends can do: they would wait for
// ever with one.
TEST(Width, IsEnoughForWhatComes) {
  Width width(1, 30);
  World world(width);
  world.capacity = cpus(8);
  world.arrivals = 60'000;
  world.run(5s);
  EXPECT_GE(width.settled(), 2u);
  EXPECT_LE(width.settled(), 3u);
}

// When less comes than one can do, nothing is gained by a second.
TEST(Width, ShrinksWithTheLoad) {
  Width width(1, 30);
  World world(width);
  world.capacity = cpus(8);
  world.run(10s);
  EXPECT_GE(width.settled(), 5u);
  world.arrivals = 10'000;
  world.run(20s);
  EXPECT_EQ(width.settled(), 1u);
}

TEST(Width, FollowsAWorldThatChanges) {
  Width width(1, 30);
  World world(width);
  world.run(60s);
  ASSERT_EQ(width.settled(), 1u);
  world.capacity = cpus(4);  // the same for one, so that nothing is felt: it is tried now and then
  world.run(20s);
  EXPECT_GE(width.settled(), 4u);
  world.capacity = cpus(1);  // felt at once
  world.run(5s);
  EXPECT_EQ(width.settled(), 1u);
}

TEST(Width, IsNotMovedByNoise) {
  for (const uint32_t count : {1U, 4U}) {
    Width width(1, 30);
    World world(width);
    world.capacity = cpus(count);
    world.noise = 0.15;
    world.stalls = 0.02;
    world.run(10s);
    const World::Seen seen = world.run(300s);
    EXPECT_GT(seen.average, 0.9 * count) << count;
    EXPECT_LT(seen.average, 1.6 * count) << count;
  }
}

TEST(Width, NothingIsTriedWhereTooLittleComes) {
  Width width(4, 30);
  World world(width);
  world.arrivals = 10;
  EXPECT_EQ(world.run(60s, 4).away, 0);
  world.arrivals = 0;
  world.clients = 0;
  EXPECT_EQ(world.run(60s, 4).away, 0);
}

// A trial in which the load goes away ends where it began.
TEST(Width, ATrialThatIsNotAnsweredIsOver) {
  Width width(1, 30);
  World world(width);
  while (width.in_force() == 1) world.run(1ms);
  world.clients = 0;
  world.run(1500ms);
  EXPECT_EQ(width.in_force(), 1u);
  EXPECT_EQ(width.settled(), 1u);
}

TEST(Width, OfOneConnectionIsOne) {
  Width width(1, 1);
  World world(width);
  EXPECT_EQ(world.run(20s, 1).away, 0);
}

}  // namespace
}  // namespace ringpost::pg
