#include "src/pg/pool.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "src/io/sleep.h"

namespace ringpost::pg {

namespace {
// What a statement is taken to cost before it has been executed.
constexpr Load::Microseconds first_guess{100};
}  // namespace

// One place in the budget: a connection, and whether it is wanted.
struct Pool::Slot {
  Slot(Pool& pool, Connector& connector, const Options& options, Connection::Statements statements,
       Observer& observer, bool kept_open)
      : connection(pool, connector, options, statements, observer),
        wanted(kept_open),
        keep_open(kept_open) {}
  Connection connection;
  bool wanted;
  bool keep_open;
  bool closing = false;  // its last session is being ended
  io::Condition turn;    // it is wanted, and may try
};

Pool::Pool(io::Reactor& reactor, io::BufferGroup& buffers, const Options& options, Spread& spread,
           Connection::Statements statements, Observer& observer)
    : reactor_(reactor),
      options_(options),
      observer_(observer),
      scope_(reactor),
      statements_(statements),
      costs_(statements.size(), first_guess),
      kinds_(statements.size(), Kind::quick),
      spread_(spread),
      meter_(spread.add_shard()),
      connector_(reactor, buffers, options),
      metrics_(statements.size()),
      random_(std::random_device{}()) {
  for (uint32_t i = 0; i < options.max_connections; ++i)
    slots_.push_back(std::make_unique<Slot>(*this, connector_, options, statements, observer,
                                            i < options.min_connections));
}

Pool::~Pool() = default;

io::Task<void> Pool::run() {
  scope_.owned_by_running_task();
  for (const auto& slot : slots_) scope_.spawn(keep(*slot));
  co_await scope_.join();
  while (!waiting_.empty()) {
    QueryBase& query = waiting_.front();
    withdraw(query);
    query.fail({Error::Kind::cancelled, nullptr, {}});
  }
}

void Pool::stop() {
  scope_.cancel();
}

uint32_t Pool::open_connections() const {
  return static_cast<uint32_t>(std::count_if(
      slots_.begin(), slots_.end(), [](const auto& slot) { return slot->connection.ready(); }));
}

std::chrono::milliseconds Pool::backoff(unsigned failures) {
  const auto longest =
      std::min(options_.last_backoff, options_.first_backoff * (1U << std::min(failures, 16U)));
  // Half of it for certain, half at random: shards and processes that failed together do not come
  // back together.
  const auto half = static_cast<unsigned>(longest.count() / 2);
  return std::chrono::milliseconds(half + random_() % (half + 1));
}

void Pool::turn_may_have_come() {
  for (const auto& slot : slots_) slot->turn.changed();
}

// While connecting fails one slot tries at a time, and pauses between: who can't serve is not to be
// kept busy, and the last places of a server are not to be fought for.
io::Task<void> Pool::keep(Slot& slot) {
  Connection& connection = slot.connection;
  while (!scope_.cancellation().requested()) {
    auto turn = slot.turn.wait(reactor_, scope_.until(), [this, &slot] {
      return slot.wanted && (failures_ == 0 || trying_ == 0);
    });
    const bool may_try = co_await turn;
    if (!may_try) continue;
    const bool alone = failures_ != 0;
    ++trying_;
    const Result<void> opened = co_await connection.open(scope_.until());
    if (!opened) {
      metrics_.connect_failed.add();
      const Error& why = opened.error();
      if (why.detail != trouble_ && !scope_.cancellation().requested())
        observer_.connect_failed(why.message());
      trouble_ = why.detail;
      failures_ = alone ? failures_ + 1 : std::max(failures_, 1U);
      co_await io::Sleep(reactor_, backoff(failures_ - 1), &scope_.cancellation());
      // The work that wanted it may be gone by now.
      slot.wanted = slot.keep_open || !waiting_.empty();
      --trying_;
      turn_may_have_come();
      continue;
    }
    --trying_;
    failures_ = 0;
    turn_may_have_come();
    trouble_.clear();
    metrics_.connected.add();
    metrics_.open.set(open_connections());
    observer_.connected(connection.session().address(), connection.session().server_version);
    serve_waiting();
    const std::string why = co_await connection.serve(scope_.until());
    metrics_.open.set(open_connections());
    if (!scope_.cancellation().requested()) {
      metrics_.lost.add();
      observer_.connection_lost(why, connection.depth());
    }
    slot.wanted = slot.keep_open;
    slot.closing = true;
    lost(connection);
    serve_waiting();  // elsewhere: to end a session takes its time
    co_await connection.close();
    slot.closing = false;
    serve_waiting();
  }
}

// A read may be asked again elsewhere, as often as its deadline allows: it was not the cause when
// the session was ended from outside, nor when another was to be answered before it. Only the one
// that was, the suspect, is asked again once, so that one which ends sessions does not end them
// all. What else was in flight can't be told done from undone.
void Pool::lost(Connection& connection) {
  const bool stopping = scope_.cancellation().requested();
  bool suspect = connection.front_is_wanted() && !connection.ended_by_order();
  io::List<QueryBase, QueryBase> again;
  while (QueryBase* query = connection.take_unanswered()) {
    const bool is_suspect = std::exchange(suspect, false);
    const bool may_try = !is_suspect || !query->tried_again_;
    if (!stopping && query->statement_.read_only && may_try) {
      query->tried_again_ |= is_suspect;
      query->alone_ = true;
      query->sent_ = false;
      again.push_back(*query);
      count_waiting(1);
      metrics_.asked_again.add();
    } else {
      query->fail(
          {Error::Kind::unavailable, nullptr, "the connection was lost after the query was sent"});
    }
  }
  again.take(waiting_);
  waiting_.take(again);
}

size_t Pool::index_of(const proto::pg::StatementDescription& statement) const {
  const auto at = std::find(statements_.begin(), statements_.end(), &statement);
  return static_cast<size_t>(at - statements_.begin());
}

void Pool::begin(QueryBase& query, size_t index) {
  query.index_ = index;
  query.kind_ = kinds_[query.index_] = Spread::kind(costs_[query.index_], kinds_[query.index_]);
  query.asked_ = reactor_.now();
  meter_.begin(query.kind_, query.asked_);
}

void Pool::ended(const QueryBase& query, std::optional<Error::Kind> failure) {
  const io::Time now = reactor_.now();
  meter_.end(query.kind_, !failure || failure == Error::Kind::server, now);
  metrics_.ended(query.index_, failure, now - query.asked_);
}

Connection* Pool::pick(Kind kind) {
  const auto at = [this](size_t i) -> Connection& { return slots_[i]->connection; };
  const uint32_t width = spread_.width(kind);
  Choice<Connection> choice;
  if (kind == Kind::quick) {
    choice = choose_for_quick<Connection>(slots_.size(), at, width);
  } else {
    const bool keep = reactor_.now() < meter_.last(Kind::quick) + kept_for;
    choice = choose_for_slow<Connection>(slots_.size(), at, width, keep ? spread_.left_alone() : 0);
  }
  if (choice.pressed) meter_.pressed(kind);
  if (choice.wants_another) want_another();
  return choice.connection;
}

void Pool::want_another() {
  for (const auto& slot : slots_) {
    if (slot->closing) continue;
    if (slot->wanted) {
      if (!slot->connection.ready()) return;  // one is on its way
      continue;
    }
    slot->wanted = true;
    slot->turn.changed();
    return;
  }
}

// Whether `query`, behind all that are in line and in flight, would by the measured rate be
// answered after half of the time that it has. Half, so that most of those who are let in are
// answered although the rate is an estimate: an answer that comes after its deadline is work for
// nobody. When there is no connection, or the rate is not known, it may as well be answered in
// time.
bool Pool::too_late(const QueryBase& query) const {
  const io::Time now = reactor_.now();
  const std::optional<double> rate = rate_.per_second(now);
  if (!rate || open_connections() == 0) return false;
  uint64_t before = waiting_count_;
  for (const auto& slot : slots_) before += slot->connection.depth();
  const double seconds = static_cast<double>(before + 1) / *rate;
  return seconds > std::chrono::duration<double>(query.until().deadline - now).count() / 2;
}

void Pool::answered(uint64_t count) {
  rate_.answered(count, !waiting_.empty(), reactor_.now());
  spread_.look(reactor_.now());
  serve_waiting();
}

void Pool::submit(QueryBase& query) {
  if (scope_.cancellation().requested()) return query.fail({Error::Kind::cancelled, nullptr, {}});
  if (Connection* connection = waiting_.empty() ? pick(query.kind_) : nullptr)
    return connection->send(query);
  if (waiting_count_ >= options_.waiting || too_late(query))
    return query.fail({Error::Kind::overloaded, nullptr, {}});
  waiting_.push_back(query);
  count_waiting(1);
  want_another();
}

void Pool::count_waiting(int more) {
  waiting_count_ += static_cast<size_t>(more);
  metrics_.waiting.set(waiting_count_);
}

void Pool::withdraw(QueryBase& query) {
  static_cast<io::ListNode<QueryBase>&>(query).unlink();
  count_waiting(-1);
}

void Pool::serve_waiting() {
  while (!waiting_.empty()) {
    QueryBase& query = waiting_.front();
    Connection* connection = pick(query.kind_);
    if (connection == nullptr) return;
    withdraw(query);
    connection->send(query);
  }
}

}  // namespace ringpost::pg
