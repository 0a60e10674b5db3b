// Metrics: what a shard's pool has asked of PostgreSQL and what came of it. Its thread writes, any
// other may read (io/counter.h).
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

#include "src/io/counter.h"
#include "src/io/latency_histogram.h"
#include "src/pg/error.h"

namespace ringpost::pg {

class Metrics {
 public:
  explicit Metrics(size_t statements) : operations_(statements) {}

  // An execution of statement number `statement` ended so long after it was asked for; `failure`:
  // why it brought no rows.
  void ended(size_t statement, std::optional<Error::Kind> failure, io::Duration took) {
    operations_[statement][failure ? 1 + static_cast<size_t>(*failure) : 0].observe(took);
  }

  // Calls each(statement, failure, histogram) for all that has happened. On any thread.
  template <class Each>
  void for_each(Each each) const {
    for (size_t i = 0; i < operations_.size(); ++i)
      for (size_t j = 0; j < outcomes; ++j)
        if (const io::LatencyHistogram* histogram = operations_[i][j].get())
          each(i, j == 0 ? std::nullopt : std::optional(static_cast<Error::Kind>(j - 1)),
               *histogram);
  }

  io::Gauge open, used;        // connections that take queries; those with some in flight
  io::Gauge waiting;           // queries in the pool's line
  io::Counter connected;       // sessions that began
  io::Counter connect_failed;  // attempts
  io::Counter lost;            // sessions that ended by themselves
  io::Counter sent, syncs;     // queries, and what ended their groups
  io::Counter asked_again;     // queries, after a lost session or a conflict

 private:
  static constexpr size_t outcomes = 2 + static_cast<size_t>(Error::Kind::too_large);
  using Outcomes = std::array<io::LazyLatencyHistogram, outcomes>;
  std::vector<Outcomes> operations_;
};

}  // namespace ringpost::pg
