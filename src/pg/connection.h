// Connection: one place for a session with PostgreSQL, whose queries are pipelined.
//
// A pool owns it and runs its life as a coroutine: open(), then serve() until the session is lost
// or given up, then close(), and again. A query is encoded straight into the stream's outgoing
// buffer and joins the pipeline; all of a turn leave in one send, and the quick reads among them
// share Syncs.
// serve() reads: whole answers are handed to their owners where they lie in the receive buffer, and
// the owners run at once, inside that call; only an answer that is cut off at the end of a buffer
// is copied.
//
// It knows nothing of pools: what concerns others than its own session it tells its Owner.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proto/pg/pipeline.h"
#include "proto/wire/buffer.h"
#include "src/io/reactor.h"
#include "src/io/scope.h"
#include "src/io/timer.h"
#include "src/pg/connect.h"
#include "src/pg/given_up.h"
#include "src/pg/lease.h"
#include "src/pg/ledger.h"
#include "src/pg/load.h"
#include "src/pg/observer.h"
#include "src/pg/options.h"
#include "src/pg/prepared.h"
#include "src/pg/query.h"
#include "src/pg/session.h"

namespace ringpost::pg {

class Connection final : public Lease::Lendable,
                         private QueryBase::Holder,
                         private io::Reactor::Flush,
                         private io::Timer {
 public:
  class Owner {
   public:
    // So many queries were answered, in one piece.
    virtual void answered(uint64_t count) = 0;
    // A query of it gave way to another, or was hit in place of another: it is to be asked again,
    // wherever there is room. It is in flight here no more.
    virtual void ask_again(QueryBase& query) = 0;
    // It was lent, and takes the owner's queries again.
    virtual void serves_again() = 0;
    // The server, or the host, is no longer what it was (hosts.h).
    virtual void server_changed() = 0;

   protected:
    ~Owner() = default;
  };
  // All of it outlives the connection. `scope`: for what it does beside serve(). The ledger's
  // statements are prepared when the session opens.
  struct Context {
    Owner& owner;
    io::Scope& scope;
    Ledger& ledger;
    Connector& connector;
    const Options& options;
    Observer& observer;
  };

  explicit Connection(const Context& context);

  // A session with the first host that has one for us and prepares its statements, within another
  // connect_timeout. On failure nothing is left open.
  io::Task<Result<void>> open(io::Until until);
  // Reads answers until the session ends; says why it did. Queries still in flight stay in the
  // pipeline: pop_unanswered().
  io::Task<std::string> serve(io::Until until);
  // Takes no more queries; serve() ends when those in flight are answered. REQUIRES: ready().
  void retire();
  // The last session ended by that, and nothing was lost.
  bool retired() const { return retired_; }
  // The session's host is gone, so serve() ends though queries may be in flight. REQUIRES: ready().
  void abandon();
  // Says goodbye if it can, and closes the socket. What the server works at and will not end by
  // itself is cancelled before: it would keep its place in max_connections.
  io::Task<void> close();

  // Accepts its owner's queries: open, not lost, not lent, and not full.
  bool available() const { return ready_ && !full(); }
  // The same, full or not.
  bool ready() const { return ready_; }
  bool full() const override { return pipeline_.full(); }
  uint32_t depth() const { return pipeline_.depth(); }
  // What the queries in flight may yet take, and how long the server has kept silent about them:
  // one that waits for a lock must not attract those that would wait behind it.
  Load::Microseconds load() const;
  // Another query would be answered in time. One that has nothing to do takes any.
  bool has_room() const {
    return available() && (pipeline_.empty() || load() < options_.pipeline_time);
  }
  // REQUIRES: available(), or that the query is of the lease that holds this connection and it is
  // not full.
  void send(QueryBase& query) override;
  // From here on it takes none of its owner's queries: it is promised to `lease`, and granted once
  // those in flight are answered. REQUIRES: ready().
  void lend(Lease& lease);
  // Sooner or later it is its owner's again, or ends.
  void take_back() override;
  // Open, and not its owner's.
  bool is_lent() const { return lent_ != Lent::no; }

  // The next query that was in flight when the session ended, or nullptr. Those that were forgotten
  // are left out.
  QueryBase* pop_unanswered();
  // Somebody waits for the query that was to be answered next.
  bool front_is_wanted() const { return !pipeline_.empty() && !pipeline_.front_forgotten(); }
  // The last session was ended from outside, by the server's shutdown for one: no query of it was
  // the cause.
  bool ended_by_order() const { return ended_by_order_; }

  const Session& session() const { return session_; }
  // How good the server is that it has, or had last, beside others (hosts.h).
  Hosts::Rank rank() const { return connector_.hosts().rank(host_, session_.server_state); }
  // Where it is: of the hosts of the connection string.
  size_t host() const { return host_; }
  // How long nothing has come though an answer is awaited.
  io::Duration silence() const;
  // When last something came, or was asked of an idle session.
  io::Time heard() const { return heard_; }

 private:
  io::Task<Result<void>> prepare_statements(io::Until until);
  // All whole answers in `input`; why the session has to end, if it has to.
  std::optional<std::string> hand_out(std::string_view& input);
  void described(const proto::pg::Pipeline::Answer& answer);
  void answered(const proto::pg::Pipeline::Answer& answer);
  // `query`, in flight here, no longer wants its answer.
  std::string forget(QueryBase& query, Error::Kind why) override;
  void failed(QueryBase& query, bool prepared_with_it, Error error);
  void give_names_up(const proto::pg::ErrorResponse& why);
  void skipped(const proto::pg::Pipeline::Answer& answer);
  void passed_limit(const proto::pg::Pipeline::Answer& answer);
  void take_asynchronous(const proto::pg::Message& message);
  // What the server lets the session do has become another.
  void server_changed();
  bool is_demoted(const proto::pg::ErrorResponse& error) const;
  // Whether a query may stand in a group, by its kind; and in the one that is open.
  bool may_share(const QueryBase& query, size_t statement) const;
  bool fits_group(size_t statement) const;
  void seal();
  void flush() override;
  // A look at what was given up: from forget() until nothing is in flight. Requests do not touch
  // it, and an idle session has none.
  void watch();
  void expired() override;
  std::optional<std::string> look_once_more();
  io::Task<void> cancel_front();
  void note_use();
  io::Task<bool> end_work();
  // To whom it is lent, when all that was in flight is answered; why the session has to end, if it
  // has to.
  std::optional<std::string> settle_lease();
  void may_grant();
  void grant();
  void serve_owner_again();
  void give_up_session();

  Owner& owner_;
  io::Scope& scope_;
  Ledger& ledger_;
  io::Reactor& reactor_;
  Connector& connector_;
  const Options& options_;
  Observer& observer_;

  Session session_;
  size_t host_ = 0;  // where it is
  proto::pg::Pipeline pipeline_;
  Prepared prepared_;
  Load load_;
  Load::Microseconds group_load_{};  // of the pipeline's open group
  bool ready_ = false, ended_by_order_ = false;
  // In place of ready_, until serve() has ended: when what is in flight is answered, or at once.
  enum class Ending : uint8_t { none, retiring, abandoned } ending_ = Ending::none;
  bool retired_ = false;
  bool used_ = false;    // as the metrics have it
  bool works_ = false;   // the server may still work for the session that close() ends
  bool silent_ = false;  // and has said nothing for long
  GivenUp given_up_;
  bool given_over_ = false;  // by it: the session is to be replaced
  // Queries before this number may have been hit by a cancel that was meant for another.
  uint64_t hit_before_ = 0;
  static constexpr uint64_t all_may_be_hit = ~uint64_t{0};  // a cancel is on its way
  bool cancelling() const { return hit_before_ == all_may_be_hit; }
  // connection_lent.cpp has the table.
  enum class Lent : uint8_t { no, draining, lent, clearing } lent_ = Lent::no;
  Lease* lease_ = nullptr;  // draining or lent
  bool over_ = false;       // the session is to end: it works for a lease that is over
  static constexpr const char* over_because = "a transaction was given up while it worked";
  io::Time heard_;  // when last something came, or was asked of an idle session
};

}  // namespace ringpost::pg
