#include "src/pg/query.h"

#include <utility>

#include "src/io/usdt.h"
#include "src/pg/connection.h"
#include "src/pg/lease.h"
#include "src/pg/pool.h"

namespace ringpost::pg {

QueryBase::QueryBase(Pool& pool, io::Until until, const proto::pg::StatementDescription& statement)
    : Wait(pool.reactor(), until), pool_(pool), statement_(statement) {}

bool QueryBase::submit(std::coroutine_handle<> awaiter) {
  const size_t index = pool_.index_of(statement_);
  if (index == pool_.statements_.size()) [[unlikely]]
    return refuse_unknown();
  if (!suspend(awaiter)) return false;
  pool_.begin(*this, index);
  pool_.submit(*this);
  return true;
}

bool QueryBase::submit_made_now(std::coroutine_handle<> awaiter) {
  made_now_ = true;
  if (!suspend(awaiter)) return false;
  pool_.begin(*this, pool_.statements_.size());
  pool_.submit(*this);
  return true;
}

bool QueryBase::submit_to(Lease& lease, std::coroutine_handle<> awaiter) {
  const size_t index = pool_.index_of(statement_);
  if (index == pool_.statements_.size()) return refuse_unknown();
  return hand_to(lease, index, awaiter);
}

bool QueryBase::submit_made_now_to(Lease& lease, std::coroutine_handle<> awaiter) {
  made_now_ = true;
  return hand_to(lease, pool_.statements_.size(), awaiter);
}

bool QueryBase::hand_to(Lease& lease, size_t index, std::coroutine_handle<> awaiter) {
  if (!lease.held()) {
    error_ = lease.why_not_held();
    return false;
  }
  if (lease.connection().full()) return refuse(Error::Kind::overloaded, "its connection is full");
  if (!suspend(awaiter)) return false;
  leased_ = alone_ = true;
  pool_.begin(*this, index);
  lease.connection().send(*this);
  return true;
}

bool QueryBase::refuse(Error::Kind kind, const char* why) {
  error_ = Error{kind, nullptr, "statement " + std::string(statement_.name) + ": " + why};
  return false;
}

bool QueryBase::refuse_unknown() {
  return refuse(Error::Kind::mismatch, "it is none of those that the pool was made with");
}

bool QueryBase::refuse_too_large() {
  return refuse(Error::Kind::too_large,
                "its parameters are larger than PostgreSQL's 1 GiB for a message");
}

Result<const proto::pg::Pipeline::Answer*> QueryBase::outcome_of_query() {
  if (error_) return std::unexpected(std::move(*error_));
  switch (outcome()) {
    case Outcome::event:
      return answer_;
    case Outcome::cancelled:
      return std::unexpected(Error{Error::Kind::cancelled, nullptr, {}});
    case Outcome::deadline:
    case Outcome::pending:
      break;
  }
  return std::unexpected(Error{late(), nullptr, sent_ ? "" : pool_.trouble()});
}

void QueryBase::abandon(Outcome why) {
  if (connection_ != nullptr) connection_->forget(*this);
  if (io::ListNode<QueryBase>::linked()) pool_.withdraw(*this);
  pool_.ended(*this, why == Outcome::cancelled ? Error::Kind::cancelled : late());
  wake(why);
}

void QueryBase::succeed(const proto::pg::Pipeline::Answer& answer) {
  RINGPOST_PROBE(row, this, answer.rows.size());
  answer_ = &answer;
  pool_.ended(*this, std::nullopt);
  deliver();
}

void QueryBase::fail(Error error) {
  error_ = std::move(error);
  pool_.ended(*this, error_->kind);
  notify();
}

}  // namespace ringpost::pg
