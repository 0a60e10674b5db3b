#include "src/pg/ledger.h"

#include <algorithm>
#include <string>

#include "src/io/reactor.h"

namespace ringpost::pg {

namespace {
// What a statement is taken to cost before it has been executed.
constexpr Load::Microseconds first_guess{100};
}  // namespace

Ledger::Ledger(io::Reactor& reactor, Statements statements, Spread::Meter& meter)
    : reactor_(reactor),
      statements_(statements),
      costs_(statements.size() + 1, first_guess),
      kinds_(statements.size() + 1, Kind::quick),
      meter_(meter),
      metrics_(statements.size() + 1) {}

size_t Ledger::index_of(const proto::pg::StatementDescription& statement) const {
  const auto at = std::find(statements_.begin(), statements_.end(), &statement);
  return static_cast<size_t>(at - statements_.begin());
}

bool Ledger::begin(QueryBase& query, std::coroutine_handle<> awaiter) {
  const size_t index = query.made_now() ? made_now() : index_of(query.statement());
  if (index == made_now() && !query.made_now()) [[unlikely]]
    return query.refuse({Error::Kind::mismatch, nullptr,
                         "statement " + std::string(query.statement().name) +
                             ": it is none of those that the pool was made with"});
  if (!query.suspend(awaiter)) return false;
  QueryBase::Notes& notes = query.notes;
  notes.index = index;
  notes.kind = kinds_[index] = Spread::kind(costs_[index], kinds_[index]);
  notes.asked = reactor_.now();
  meter_.begin(notes.kind, notes.asked);
  return true;
}

void Ledger::ended(const QueryBase& query, std::optional<Error::Kind> failure) {
  const io::Time now = reactor_.now();
  meter_.end(query.notes.kind, !failure || failure == Error::Kind::server, now);
  metrics_.ended(query.notes.index, failure, now - query.notes.asked);
}

}  // namespace ringpost::pg
