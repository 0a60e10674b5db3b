// A session of the simulated PostgreSQL: its bytes in, its messages one after the other, its bytes
// out. The server owns it; it owns its side of the link.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "tests/simulation/network.h"
#include "tests/simulation/postgres.h"

namespace ringpost::simulation {

class Postgres::Session final : public Side::Owner {
 public:
  Session(Postgres& server, const std::shared_ptr<Link>& link)
      : server_(server),
        world_(server.world_),
        random_(server.random_),
        link_(link),
        side_(link->server) {
    side_.owner = this;
  }
  ~Session() { side_.close(true); }

  void changed(Side&) override { plan(Time{}); }
  bool over() const { return over_; }
  // Begun, and for the program not ended.
  bool counts() const { return begun_ && !over_ && !link_->client.closed(); }
  void end(bool abort) {
    if (over_) return;
    over_ = true;
    troubled_ = true;
    side_.close(abort);
  }
  // Nothing is answered for a while, or never again: its host is gone, and nobody says so.
  void freeze(bool for_good) {
    troubled_ = true;
    gone_ = for_good;
  }
  // Says why, and ends.
  void say_goodbye(const char* state);
  void plan(Time delay) {
    if (planned_ || over_) return;
    planned_ = true;
    world_.after(delay, [this, alive = std::weak_ptr<int>(alive_)] {
      if (alive.expired()) return;
      planned_ = false;
      work();
    });
  }

 private:
  void work();
  bool take_message();
  bool start();
  void parse(std::string_view body);
  void describe(std::string_view body);
  void bind(std::string_view body);
  void execute();
  void sync();
  void fail(const std::string& message);
  // The program prepares it anew, once; a second time in a row, which is where it has `changed`
  // behind the Parse of its own group, the client is told.
  void fail_stale(const char* state, bool changed);
  // A transaction begins: behind a pooler, in any session.
  void borrow();
  void send();
  // ParameterStatus, where it is to be told.
  std::string tell_role();
  // The program may end it, though it is well: all is answered.
  bool may_retire() const;
  void lost();

  Postgres& server_;
  World& world_;
  Random& random_;
  std::shared_ptr<Link> link_;
  Side& side_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  // Its own, or those of the session that a pooler lends it for a transaction.
  std::array<Statements, 3> lent_;
  Statements own_, *statements_ = &own_;
  std::string bound_rows_;
  std::string answer_;  // what is not sent yet: up to the next Sync
  Bytes out_;
  Time busy_until_{}, begun_at_{}, asked_at_{};
  bool told_standby_ = false;  // what the program knows
  bool begun_ = false, asked_ = false, failed_ = false, over_ = false, planned_ = false,
       troubled_ = false, gone_ = false;
};

}  // namespace ringpost::simulation
