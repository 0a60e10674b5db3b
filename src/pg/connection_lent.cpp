// What a Connection does while it is lent (src/pg/lease.h):
//
//     state      what it has                           next
//     no         it is its owner's                     draining: lend()
//     draining   queries of its owner in flight        lent: all are answered
//                                                      no: take_back()
//     lent       its lease's queries                   no: take_back(), in no transaction
//                                                      clearing: take_back(), in one
//     clearing   a ROLLBACK in flight                  no: it has ended the transaction
//
// From each the session ends when it is lost; from lent also when a query was given up, and from
// clearing when the rollback does not do.
#include <cassert>
#include <utility>

#include "proto/pg/dynamic_statement.h"
#include "src/pg/connection.h"

namespace ringpost::pg {

namespace messages = proto::pg;
using messages::Pipeline;

void Connection::lend(Lease& lease) {
  assert(ready_ && lent_ == Lent::no);
  ready_ = false;
  lent_ = Lent::draining;
  lease_ = &lease;
  lease.promised(*this);
  may_grant();
}

// Not while a cancel is on its way, which would hit whatever its owner asks.
void Connection::may_grant() {
  if (lent_ == Lent::draining && pipeline_.empty() && !cancelling()) grant();
}

void Connection::grant() {
  lent_ = Lent::lent;
  pipeline_.allow_transactions(true);
  lease_->granted();
}

void Connection::take_back() {
  lease_ = nullptr;
  if (lent_ == Lent::draining) return serve_owner_again();
  if (!pipeline_.empty()) return give_up_session();
  if (pipeline_.transaction_status() == 'I') return serve_owner_again();
  lent_ = Lent::clearing;
  const messages::DynamicStatement rollback(messages::Access::write, "ROLLBACK");
  Prepared::encode(session_.out(), rollback.description(), {});
  rollback.encode_bind(session_.out());
  heard_ = reactor_.now();
  pipeline_.push(session_.out(), Pipeline::Expect::prepare_and_execute, nullptr,
                 Pipeline::Sync::own, load_.sent(ledger_.made_now(), reactor_.now()));
  session_.send();
  watch();
}

std::optional<std::string> Connection::settle_lease() {
  if (over_) {
    works_ = true;
    return over_because;
  }
  may_grant();
  if (pipeline_.empty() && lent_ == Lent::clearing) {
    if (pipeline_.transaction_status() != 'I') return "a transaction can't be rolled back";
    serve_owner_again();
  }
  return std::nullopt;
}

void Connection::serve_owner_again() {
  pipeline_.allow_transactions(false);
  lent_ = Lent::no;
  ready_ = true;
  owner_.serves_again();
}

// The server works for nobody: it is told so, and its session ended (close()). serve() sees to it,
// now where it waits, or else when it has handed out what has come.
void Connection::give_up_session() {
  over_ = true;
  session_.interrupt();
  if (Lease* lease = std::exchange(lease_, nullptr))
    lease->lost(unavailable("a query of it was given up"));
}

}  // namespace ringpost::pg
