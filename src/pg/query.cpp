#include "src/pg/query.h"

#include <utility>

#include "src/io/usdt.h"

namespace ringpost::pg {

bool QueryBase::refuse(Error error) {
  error_ = std::move(error);
  return false;
}

bool QueryBase::refuse_too_large() {
  return refuse({Error::Kind::too_large, nullptr,
                 "statement " + std::string(statement_.name) +
                     ": its parameters are larger than PostgreSQL's 1 GiB for a message"});
}

Error::Kind QueryBase::late(Outcome why) const {
  if (why == Outcome::cancelled) return Error::Kind::cancelled;
  return notes.sent ? Error::Kind::timed_out : Error::Kind::unavailable;
}

Result<const proto::pg::Pipeline::Answer*> QueryBase::outcome_of_query() {
  if (error_) return std::unexpected(std::move(*error_));
  if (outcome() == Outcome::event) return answer_;
  return std::unexpected(Error{late(outcome()), nullptr, {}});  // before it had begun
}

void QueryBase::abandon(Outcome why) {
  const Error::Kind kind = late(why);
  error_ = Error{kind, nullptr, std::exchange(notes.holder, nullptr)->forget(*this, kind)};
  wake(why);
}

void QueryBase::succeed(const proto::pg::Pipeline::Answer& answer) {
  RINGPOST_PROBE(row, this, answer.rows.size());
  answer_ = &answer;
  deliver();
}

void QueryBase::fail(Error error) {
  error_ = std::move(error);
  notify();
}

}  // namespace ringpost::pg
