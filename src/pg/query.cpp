#include "src/pg/query.h"

#include <utility>

#include "src/pg/connection.h"
#include "src/pg/pool.h"

namespace ringpost::pg {

QueryBase::QueryBase(Pool& pool, io::Until until, const proto::pg::StatementDescription& statement)
    : Wait(pool.reactor(), until), pool_(pool), statement_(statement) {}

bool QueryBase::submit(std::coroutine_handle<> awaiter) {
  const size_t index = pool_.index_of(statement_);
  if (index == pool_.statements_.size()) [[unlikely]]
    return refuse(Error::Kind::mismatch, "it is none of those that the pool was made with");
  if (!suspend(awaiter)) return false;
  pool_.begin(*this, index);
  pool_.submit(*this);
  return true;
}

bool QueryBase::refuse(Error::Kind kind, const char* why) {
  error_ = Error{kind, nullptr, "statement " + std::string(statement_.name) + ": " + why};
  return false;
}

Result<std::string_view> QueryBase::outcome_of_query() {
  if (error_) return std::unexpected(std::move(*error_));
  switch (outcome()) {
    case Outcome::event:
      return rows_;
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

void QueryBase::succeed(std::string_view rows) {
  rows_ = rows;
  pool_.ended(*this, std::nullopt);
  deliver();
}

void QueryBase::fail(Error error) {
  error_ = std::move(error);
  pool_.ended(*this, error_->kind);
  notify();
}

}  // namespace ringpost::pg
