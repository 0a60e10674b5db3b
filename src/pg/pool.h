// Pool: a shard's share of the connection budget, and the queries that run on it.
//
// Connections open as work needs them, up to max_connections; min_connections are kept open always.
// Which connection a query goes to says spread.h. When there is none that can answer it in time it
// waits in line, until its deadline, or is refused at once when at the measured rate (rate.h) its
// turn would come too late: more than PostgreSQL can answer must not keep it from answering what it
// can. A connection that is lost is opened anew after a jittered pause, and the reads that were in
// flight on it are asked once more elsewhere, within their deadlines (more often when PostgreSQL is
// shut down or ends sessions). So is a read that gave way to others, in a deadlock for one.
//
// A connection that is well may make place for another all the same (renewal.h): one at a time, the
// other opened before where the budget has room for it, and no query is lost by it.
//
// What has to stay on one session leases a connection (lease.h); it is taken from the least busy
// ones, and another opens for the pool if one may.
//
// The owner runs the pool as a child (run()), and the pool outlives every query. stop() ends run().
#pragma once

#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/io/buffer_group.h"
#include "src/io/condition.h"
#include "src/io/list.h"
#include "src/io/scope.h"
#include "src/pg/connection.h"
#include "src/pg/dynamic_query.h"
#include "src/pg/lease.h"
#include "src/pg/ledger.h"
#include "src/pg/metrics.h"
#include "src/pg/observer.h"
#include "src/pg/options.h"
#include "src/pg/query.h"
#include "src/pg/rate.h"
#include "src/pg/renewal.h"
#include "src/pg/spread.h"

namespace ringpost::pg {

class Pool final : public Executor,
                   public Lease::Lender,
                   private Connection::Owner,
                   private QueryBase::Holder {
 public:
  // All arguments outlive the pool. `spread` is that of all shards; `statements` are all that will
  // ever be asked of it by a declaration.
  Pool(io::Reactor& reactor, io::BufferGroup& buffers, const Options& options, Spread& spread,
       Ledger::Statements statements, Observer& observer);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Keeps connections until stop(). Queries that are then still in line or in flight fail.
  io::Task<void> run();
  void stop();

  // Awaited: Result<Rows<Row>>. See query.h for how long the rows live.
  template <class Row, class... Parameters>
  Query<Row, Parameters...> query(const proto::pg::Statement<Row(Parameters...)>& statement,
                                  io::Until until, std::type_identity_t<Parameters>... parameters) {
    return {*this, statement, until, std::move(parameters)...};
  }

  // Awaited: Result<DynamicRows>. `statement` outlives the query.
  DynamicQuery query(const proto::pg::DynamicStatement& statement, io::Until until) {
    return {*this, until, statement};
  }

  bool execute(QueryBase& query, std::coroutine_handle<> awaiter) override;

  // The last failure to connect.
  const std::string& trouble() const override { return trouble_; }
  size_t waiting() const { return waiting_count_; }
  const Options& options() const { return options_; }
  const Metrics& metrics() const { return ledger_.metrics(); }
  const Spread::Meter& meter() const { return ledger_.meter(); }
  uint32_t open_connections() const;

 private:
  // One place in the budget: a connection, and whether it is wanted.
  struct Slot {
    Slot(const Connection::Context& context, bool kept_open)
        : connection(context), wanted(kept_open), keep_open(kept_open) {}
    bool is_open() const { return connection.ready() || connection.is_lent(); }
    Connection connection;
    bool wanted;
    bool keep_open;
    bool closing = false;       // its last session is being ended
    io::Time ends = io::never;  // by its age
    std::string_view retired;   // why its last session was, a literal
    io::Condition turn;         // it is wanted, and may try
  };

  // For its connections.
  void answered(uint64_t count) override;
  void ask_again(QueryBase& query) override;
  void serves_again() override;
  void server_changed() override { look_again(); }

  // Once, or more often where a query is asked again. In line it is held by the pool.
  void submit(QueryBase& query);
  void put_in_line(QueryBase& query, io::List<QueryBase, QueryBase>& line);
  std::string forget(QueryBase& query, Error::Kind why) override;
  void withdraw(QueryBase& query);
  void count_waiting(int more);
  Connection* pick(Kind kind);
  void want_another();
  void serve_waiting();
  // A lease gets a connection, at once or in line. has_again() serves both lines, where there is
  // something to be had anew.
  void lend(Lease& lease) override;
  void leave_line(Lease& lease) override;
  Ledger& ledger() override { return ledger_; }
  void serve_leases();
  void has_again();
  bool too_late(const QueryBase& query) const;
  void lost(Connection& connection);
  io::Task<void> keep(Slot& slot);
  void suspect_silent_hosts();
  void put_into_use(Slot& slot);
  void tell_of_end(const Slot& slot, std::string_view why);

  // What follows is in pool_renewal.cpp.
  // Looks at hosts that are not up, and renews connections, for as long as the pool runs.
  io::Task<void> tend();
  // Something has changed that it may follow from.
  void look_again();
  std::vector<Renewal::Candidate> candidates();
  io::Time next_moment(std::span<const Renewal::Candidate> candidates,
                       const std::optional<Hosts::Look>& look);
  io::Task<void> renew(Renewal renewal);
  // Opens `other` and gives it the place of `old`; false where that brings nothing better.
  io::Task<bool> replace(Slot& old, Slot& other, Renewal::Why why);
  Slot* free_slot();
  // `connection`, unless it is better opened anew before something is asked of it.
  Connection* trusted(Connection& connection);
  io::Task<void> end(Slot& slot, Renewal::Why why);
  io::Time end_of_life();

  void turn_may_have_come();
  std::chrono::milliseconds backoff(unsigned failures);

  io::Reactor& reactor_;
  const Options& options_;
  Observer& observer_;
  io::Scope scope_;
  Spread& spread_;
  Ledger ledger_;
  Rate rate_;
  Connector connector_;
  std::vector<std::unique_ptr<Slot>> slots_;
  io::List<QueryBase, QueryBase> line_;
  size_t waiting_count_ = 0;
  io::List<Lease, Lease> leases_;  // in line
  size_t leases_count_ = 0;
  // Attempts to connect that failed since one succeeded; slots that try, or pause after a failure.
  unsigned failures_ = 0, trying_ = 0;
  io::Condition tending_;  // for what tend() waits
  bool look_again_ = false;
  io::Time no_renewal_before_;
  std::string trouble_;
  std::minstd_rand random_;
};

}  // namespace ringpost::pg
