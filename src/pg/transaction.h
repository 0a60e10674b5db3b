// Transaction: statements that are done together or not at all, on a connection of their own.
//
//     pg::Transaction transaction(pool, until, {.isolation = pg::Isolation::serializable});
//     pg::Result<void> begun = co_await transaction.begin();
//     if (!begun) co_return begun;
//     auto paying = transaction.query(pay, from, to, amount);
//     auto paid = co_await paying;
//     if (!paid) co_return std::unexpected(paid.error());  // rolls back
//     co_return co_await transaction.commit();
//
// One that ends without commit() is rolled back, by its end: nobody waits for that. When a
// statement of it is given up (deadline, cancellation), the server is told to stop, and the session
// is closed: no later statement is sent. `until` is for all of it, from the wait for a connection
// (lease.h) to the commit; nothing of it holds a lock beyond.
//
// Nothing in a transaction is asked again by itself. in_transaction() does all of it anew where the
// server says so (40001, 40P01). What a statement sets for the session and not for the transaction
// (SET, LISTEN) stays with the connection: use SET LOCAL.
//
// The pool outlives the transaction, and the transaction its queries.
#pragma once

#include <string>
#include <type_traits>
#include <utility>

#include "proto/pg/dynamic_statement.h"
#include "src/io/task.h"
#include "src/pg/dynamic_query.h"
#include "src/pg/lease.h"
#include "src/pg/pool.h"

namespace ringpost::pg {

enum class Isolation : uint8_t { of_session, read_committed, repeatable_read, serializable };

struct TransactionOptions {
  Isolation isolation = Isolation::of_session;
  bool read_only = false;
  // Of a serializable one that is read only: it waits until it can't fail.
  bool deferrable = false;
  // in_transaction(): how often it is begun at most, within its deadline.
  unsigned attempts = 10;
};

class Transaction {
 public:
  Transaction(Pool& pool, io::Until until, TransactionOptions options = {})
      : lease_(pool.reactor(), pool, until), options_(options) {}

  // Waits for a connection, and begins there. REQUIRES: it has not begun, or has ended.
  io::Task<Result<void>> begin();
  // Errors: rolled_back when a statement of it had failed; one of the server when what was deferred
  // to here fails, and all is rolled back; another when no answer came: whether all or nothing was
  // done is then not known.
  io::Task<Result<void>> commit();
  io::Task<Result<void>> rollback();

  // Awaited: Result<Rows<Row>>, as Pool's. Those that are awaited at once are pipelined.
  template <class Row, class... Parameters>
  Query<Row, Parameters...> query(const proto::pg::Statement<Row(Parameters...)>& statement,
                                  std::type_identity_t<Parameters>... parameters) {
    return {lease_, statement, lease_.until(), std::move(parameters)...};
  }
  // Awaited: Result<DynamicRows>. `statement` outlives the query.
  DynamicQuery query(const proto::pg::DynamicStatement& statement) {
    return {lease_, lease_.until(), statement};
  }

 private:
  // The command that was executed, as the server names it.
  io::Task<Result<std::string>> run(std::string sql);

  Lease lease_;
  TransactionOptions options_;
};

// Whether the same transaction may succeed when it is begun anew.
bool may_begin_anew(const Error& error);

// Does `body(transaction)`, a Task<Result<T>>, in a transaction: commits when it brings a value,
// rolls back when it brings an error, which it then hands on. Where it gave way to another it is
// done again, with a new transaction, from the beginning: `body` does nothing but by the
// transaction. What it returns owns what it holds: nothing of a connection lives that long.
template <class Body>
std::invoke_result_t<Body&, Transaction&> in_transaction(Pool& pool, io::Until until,
                                                         TransactionOptions options, Body body) {
  for (unsigned attempt = 1;; ++attempt) {
    Transaction transaction(pool, until, options);
    Result<void> done = co_await transaction.begin();
    if (!done) co_return std::unexpected(std::move(done.error()));
    auto outcome = co_await body(transaction);
    const bool again = attempt < options.attempts;
    if (!outcome) {
      done = co_await transaction.rollback();  // for its own sake: what it says is no news
      if (again && may_begin_anew(outcome.error())) continue;
      co_return std::move(outcome);
    }
    done = co_await transaction.commit();
    if (done) co_return std::move(outcome);
    if (!again || !may_begin_anew(done.error())) co_return std::unexpected(std::move(done.error()));
  }
}

}  // namespace ringpost::pg
