// Ledger: what is known of the queries of a pool by their statements: what they cost, of which kind
// that makes them, and, for the metrics and for spread.h, what came of them.
//
// A statement goes by its index: its place among those that the pool was made with, or the one
// behind them for all that is made at run time. A query is begun and ended here once, whatever
// happens to it in between.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "proto/pg/statement.h"
#include "src/pg/error.h"
#include "src/pg/load.h"
#include "src/pg/metrics.h"
#include "src/pg/query.h"
#include "src/pg/spread.h"

namespace ringpost::pg {

class Ledger {
 public:
  using Statements = std::span<const proto::pg::StatementDescription* const>;

  // What is referred to outlives it.
  Ledger(io::Reactor& reactor, Statements statements, Spread::Meter& meter);

  Statements statements() const { return statements_; }
  size_t made_now() const { return statements_.size(); }
  // That of made_now() when the pool was not made with it.
  size_t index_of(const proto::pg::StatementDescription& statement) const;

  // Suspends `awaiter` until `query` ends; false, with the reason in the query, when its statement
  // is unknown or its time is up.
  bool begin(QueryBase& query, std::coroutine_handle<> awaiter);
  // It was given up by its owner.
  void ended(const QueryBase& query, std::optional<Error::Kind> failure);
  // Each ends it, as QueryBase has them.
  void succeed(QueryBase& query, const proto::pg::Pipeline::Answer& answer) {
    ended(query, std::nullopt);
    query.succeed(answer);
  }
  void fail(QueryBase& query, Error error) {
    ended(query, error.kind);
    query.fail(std::move(error));
  }

  StatementCosts& costs() { return costs_; }
  Metrics& metrics() { return metrics_; }
  const Metrics& metrics() const { return metrics_; }
  Spread::Meter& meter() { return meter_; }
  const Spread::Meter& meter() const { return meter_; }

 private:
  io::Reactor& reactor_;
  Statements statements_;
  StatementCosts costs_;
  std::vector<Kind> kinds_;  // of each statement
  Spread::Meter& meter_;
  Metrics metrics_;
};

}  // namespace ringpost::pg
