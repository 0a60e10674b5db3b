// Postgres: a PostgreSQL in memory. It speaks the protocol as far as the program uses it, answers
// from a Table, and does what real ones do to their clients: it is slow, fails, restarts, freezes,
// forgets statements, says things that nobody asked for, and at times is no PostgreSQL at all.
//
// It knows what it has done: only what it did can excuse that a client is answered 503 or 500.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "tests/simulation/kernel.h"
#include "tests/simulation/network.h"
#include "tests/simulation/table.h"
#include "tests/simulation/world.h"

namespace ringpost::simulation {

class Postgres final : public Remote {
 public:
  Postgres(World& world, const Table& table);
  ~Postgres();

  int connected(const std::shared_ptr<Link>& link) override;

  // Restarts and freezes, from now to `end`.
  void plan_troubles(Time end);
  // Beside another one: sessions may go from the one to the other, and each says what it is.
  void be_one_of_two(bool standby) {
    one_of_two_ = true;
    standby_ = standby;
  }
  void become(bool standby) { standby_ = standby; }
  // The program may end its sessions now.
  void expect_the_end() { ending_ = true; }

  // Statements that were answered with an error, or a value, of which the client is told 500.
  uint64_t internal_errors = 0;
  // When last something happened that a client may be told of by 503.
  Time troubled_at = -1h;
  size_t most_sessions = 0;  // that the program may have at a time
  // From when on it may end one that is well, and owes nothing: by its age, and when nothing was
  // asked of it for so long. 0: never.
  Time old_age{}, idle_age{};
  Time least_cost = 20us, most_cost = 300us;  // of a statement

 private:
  class Session;
  // The statements of a session, their text by name, and those of them whose tables have changed.
  struct Statements {
    std::map<std::string, std::string, std::less<>> texts;
    std::set<std::string, std::less<>> stale;
  };
  void trouble() { troubled_at = world_.now(); }
  void restart();
  void freeze();

  World& world_;
  const Table& table_;
  Random random_;
  std::list<std::unique_ptr<Session>> open_;
  Time down_until{}, frozen_until_{};
  bool ending_ = false, one_of_two_ = false, standby_ = false;
};

}  // namespace ringpost::simulation
