#include "src/pg/lease.h"

#include <utility>

#include "src/io/reactor.h"

namespace ringpost::pg {

bool Lease::Acquire::await_suspend(std::coroutine_handle<> awaiter) {
  lease_.why_.reset();
  if (!suspend(awaiter)) return false;
  lease_.waiting_ = this;
  lease_.lender_.lend(lease_);
  return true;
}

Result<void> Lease::Acquire::await_resume() {
  lease_.waiting_ = nullptr;
  if (lease_.why_) return std::unexpected(*lease_.why_);
  switch (outcome()) {
    case Outcome::event:
      return {};
    case Outcome::cancelled:
      return std::unexpected(Error{Error::Kind::cancelled, nullptr, {}});
    case Outcome::deadline:
    case Outcome::pending:
      break;
  }
  return std::unexpected(unavailable(lease_.lender_.trouble()));
}

void Lease::Acquire::abandon(Outcome why) {
  lease_.give_back();
  wake(why);
}

bool Lease::execute(QueryBase& query, std::coroutine_handle<> awaiter) {
  if (!held_) return query.refuse(why_not_held());
  if (connection_->full())
    return query.refuse(
        {Error::Kind::overloaded, nullptr,
         "statement " + std::string(query.statement().name) + ": its connection is full"});
  if (!lender_.ledger().begin(query, awaiter)) return false;
  query.notes.leased = query.notes.alone = true;
  connection_->send(query);
  return true;
}

void Lease::granted() {
  held_ = true;
  if (until_.deadline != io::never) reactor().timers().start(*this, until_.deadline);
  waiting_->notify();
}

void Lease::refuse(Error::Kind why) {
  why_ = Error{why, nullptr, {}};
  waiting_->notify();
}

void Lease::lost(Error why) {
  connection_ = nullptr;
  if (!std::exchange(held_, false)) return lender_.lend(*this);
  if (Timer::running()) reactor().timers().stop(*this);
  why_ = std::move(why);
}

void Lease::give_back() {
  if (io::ListNode<Lease>::linked()) lender_.leave_line(*this);
  if (Timer::running()) reactor().timers().stop(*this);
  held_ = false;
  if (Lendable* connection = std::exchange(connection_, nullptr)) connection->take_back();
}

void Lease::expired() {
  give_back();
  why_ = Error{Error::Kind::timed_out, nullptr, {}};
}

Error Lease::why_not_held() const {
  return why_.value_or(unavailable("the lease has ended"));
}

}  // namespace ringpost::pg
