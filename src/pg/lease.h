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
#include <string>

#include "src/io/cancellation.h"
#include "src/io/list.h"
#include "src/io/timer.h"
#include "src/io/wait.h"
#include "src/pg/error.h"
#include "src/pg/ledger.h"
#include "src/pg/query.h"

namespace ringpost::pg {

class Lease final : public Executor, public io::ListNode<Lease>, private io::Timer {
 public:
  // A pool. lend() has an answer at once, or later: promised(), or refuse().
  class Lender {
   public:
    virtual void lend(Lease& lease) = 0;
    virtual void leave_line(Lease& lease) = 0;
    virtual Ledger& ledger() = 0;
    // Why there is no connection, as far as is known.
    virtual const std::string& trouble() const = 0;

   protected:
    ~Lender() = default;
  };
  // A connection that is lent.
  class Lendable {
   public:
    // A query of the lease that holds it. REQUIRES: it is not full.
    virtual void send(QueryBase& query) = 0;
    virtual bool full() const = 0;
    // Its lease is done with it.
    virtual void take_back() = 0;

   protected:
    ~Lendable() = default;
  };

  // `until`: for all of it. When its deadline comes the connection is given back, whoever waits for
  // it or does not.
  Lease(io::Reactor& reactor, Lender& lender, io::Until until)
      : Executor(reactor), lender_(lender), until_(until) {}
  ~Lease() { give_back(); }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  // Awaited: Result<void>. REQUIRES: it is idle.
  class [[nodiscard]] Acquire final : public io::Wait {
   public:
    explicit Acquire(Lease& lease) : Wait(lease.reactor(), lease.until_), lease_(lease) {}
    bool await_ready() const { return false; }
    bool await_suspend(std::coroutine_handle<> awaiter);
    Result<void> await_resume();

   private:
    void abandon(Outcome why) override;
    Lease& lease_;
  };
  Acquire acquire() { return Acquire(*this); }
  void give_back();

  bool held() const { return held_; }
  Error why_not_held() const;
  const io::Until& until() const { return until_; }
  bool execute(QueryBase& query, std::coroutine_handle<> awaiter) override;

  // For the pool that lends, and the connection that is lent. refuse() ends a lease in line.
  void promised(Lendable& connection) { connection_ = &connection; }
  void granted();
  void refuse(Error::Kind why);
  // The connection is no longer its own.
  void lost(Error why);

 private:
  void expired() override;

  Lender& lender_;
  io::Until until_;
  Lendable* connection_ = nullptr;
  Acquire* waiting_ = nullptr;
  bool held_ = false;
  std::optional<Error> why_;
};

}  // namespace ringpost::pg
