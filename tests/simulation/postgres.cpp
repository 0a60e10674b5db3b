#include "tests/simulation/postgres.h"

#include <algorithm>
#include <cerrno>

#include "tests/simulation/postgres_session.h"

namespace ringpost::simulation {

Postgres::Postgres(World& world, const Table& table)
    : world_(world), table_(table), random_(world.random.fork()) {}

Postgres::~Postgres() = default;

int Postgres::connected(const std::shared_ptr<Link>& link) {
  std::erase_if(open_, [](const auto& session) { return session->over(); });
  if (world_.now() < down_until) {
    trouble();
    return ECONNREFUSED;
  }
  if (random_.chance(world_.faults.rate(Fault::pg_connects))) {
    trouble();
    return random_.chance(500'000) ? ECONNREFUSED : -1;
  }
  open_.push_back(std::make_unique<Session>(*this, link));
  open_.back()->plan(Time{});
  return 0;
}

void Postgres::plan_troubles(Time end) {
  const auto often = [&](Fault fault, auto&& happen) {
    for (uint32_t i = 0; i < 1 + world_.faults.rate(fault) / 50'000; ++i) {
      if (!world_.faults.enabled(fault)) return;
      world_.at(Time(random_.between(0, end.count())), [this, happen, fault] {
        if (world_.faults.rate(fault) != 0) happen();
      });
    }
  };
  often(Fault::pg_restarts, [this] { restart(); });
  often(Fault::pg_freezes, [this] { freeze(); });
}

void Postgres::restart() {
  world_.note("postgresql restarts");
  trouble();
  down_until = world_.now() + Time(random_.skewed(3'000'000'000));
  const bool politely = random_.chance(500'000);
  for (const auto& session : open_) {
    if (politely)
      session->say_goodbye("57P01");
    else
      session->end(true);
  }
  world_.at(down_until, [this] { trouble(); });
}

void Postgres::freeze() {
  world_.note("postgresql freezes");
  trouble();
  frozen_until_ = world_.now() + Time(random_.between(100'000'000, 8'000'000'000));
  const bool for_good = random_.chance(300'000);
  for (const auto& session : open_) session->freeze(for_good);
  world_.at(frozen_until_, [this] { trouble(); });
}

}  // namespace ringpost::simulation
