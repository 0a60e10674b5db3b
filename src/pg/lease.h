// Lease: a connection of the pool for one owner alone, for what has to stay on one session.
//
//     state      what it has                          ends by
//     idle       nothing                              acquire()
//     in line    a place in the pool's line           a connection is free for it: draining
//     draining   a connection, which answers what     its last answer: held
//                the pool has asked of it             it is lost: in line again
//     held       that connection                      give_back(), its deadline: idle
//                                                     it is lost, a query was given up: broken
//     broken     nothing; why_not_held() says why     give_back()
//
// A connection that is given back serves the pool again once it is known to be in no transaction:
// one that was left open is rolled back, and a session that does not come to that, or still works
// for its last owner, is closed. At most max_connections - 1 are leased at a time, or the one there
// is. The pool outlives the lease. What queries are made with it ends before it does.
#pragma once

#include <coroutine>
#include <optional>

#include "src/io/cancellation.h"
#include "src/io/list.h"
#include "src/io/timer.h"
#include "src/io/wait.h"
#include "src/pg/error.h"
#include "src/pg/query.h"

namespace ringpost::pg {

class Lease final : public io::ListNode<Lease>, private io::Timer {
 public:
  // `until`: for all of it. When its deadline comes the connection is given back, whoever waits for
  // it or does not.
  Lease(Pool& pool, io::Until until) : pool_(pool), until_(until) {}
  ~Lease() { give_back(); }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  // Awaited: Result<void>. REQUIRES: it is idle.
  class [[nodiscard]] Acquire final : public io::Wait {
   public:
    explicit Acquire(Lease& lease);
    bool await_ready() const { return false; }
    bool await_suspend(std::coroutine_handle<> awaiter);
    Result<void> await_resume();

   private:
    friend class Lease;
    void abandon(Outcome why) override;
    Lease& lease_;
  };
  Acquire acquire() { return Acquire(*this); }
  void give_back();

  bool held() const { return held_; }
  // REQUIRES: held().
  Connection& connection() const { return *connection_; }
  Error why_not_held() const;

  Pool& pool() const { return pool_; }
  const io::Until& until() const { return until_; }

 private:
  friend class Connection;
  friend class Pool;

  // By pool and connection. `refuse` ends a lease in line.
  void promised(Connection& connection) { connection_ = &connection; }
  void granted();
  void refuse(Error::Kind why);
  // The connection is no longer its own.
  void lost(Error why);
  void expired() override;

  Pool& pool_;
  io::Until until_;
  Connection* connection_ = nullptr;
  Acquire* waiting_ = nullptr;
  bool held_ = false;
  std::optional<Error> why_;
};

// A query of one of the pool's statements, on the connection of a lease.
template <class Row, class... Parameters>
class [[nodiscard]] LeasedQuery final : public TypedQuery<Row, Parameters...> {
 public:
  using Base = TypedQuery<Row, Parameters...>;
  LeasedQuery(Lease& lease, const proto::pg::Statement<Row(Parameters...)>& statement,
              io::Until until, Parameters... parameters)
      : Base(lease.pool(), statement, until, std::move(parameters)...), lease_(lease) {}

  bool await_suspend(std::coroutine_handle<> awaiter) {
    return this->fits() ? this->submit_to(lease_, awaiter) : this->refuse_too_large();
  }

 private:
  Lease& lease_;
};

}  // namespace ringpost::pg
