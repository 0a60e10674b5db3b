#include "src/pg/pool.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "src/io/sleep.h"

namespace ringpost::pg {

Pool::Pool(io::Reactor& reactor, io::BufferGroup& buffers, const Options& options, Spread& spread,
           Ledger::Statements statements, Observer& observer)
    : Executor(reactor),
      reactor_(reactor),
      options_(options),
      observer_(observer),
      scope_(reactor),
      spread_(spread),
      ledger_(reactor, statements, spread.add_shard()),
      connector_(reactor, buffers, options),
      random_(std::random_device{}()) {
  const Connection::Context context{*this, scope_, ledger_, connector_, options, observer};
  for (uint32_t i = 0; i < options.max_connections; ++i)
    slots_.push_back(std::make_unique<Slot>(context, i < options.min_connections));
}

Pool::~Pool() = default;

io::Task<void> Pool::run() {
  scope_.owned_by_running_task();
  for (const auto& slot : slots_) scope_.spawn(keep(*slot));
  scope_.spawn(tend());
  co_await scope_.join();
  while (!line_.empty()) {
    QueryBase& query = line_.front();
    withdraw(query);
    ledger_.fail(query, {Error::Kind::cancelled, nullptr, {}});
  }
  while (!leases_.empty()) {
    Lease& lease = leases_.front();
    leave_line(lease);
    lease.refuse(Error::Kind::cancelled);
  }
}

void Pool::stop() {
  scope_.cancel();
}

uint32_t Pool::open_connections() const {
  return static_cast<uint32_t>(std::count_if(slots_.begin(), slots_.end(),
                                             [](const auto& slot) { return slot->is_open(); }));
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
    suspect_silent_hosts();
    const Result<void> opened = co_await connection.open(scope_.until());
    if (!opened) {
      ledger_.metrics().connect_failed.add();
      const Error& why = opened.error();
      if (why.detail != trouble_ && !scope_.cancellation().requested())
        observer_.connect_failed(why.message());
      trouble_ = why.detail;
      failures_ = alone ? failures_ + 1 : std::max(failures_, 1U);
      co_await io::Sleep(reactor_, backoff(failures_ - 1), &scope_.cancellation());
      // The work that wanted it may be gone by now.
      slot.wanted = slot.keep_open || !line_.empty() || !leases_.empty();
      --trying_;
      turn_may_have_come();
      look_again();
      continue;
    }
    --trying_;
    put_into_use(slot);
    const std::string why = co_await connection.serve(scope_.until());
    ledger_.metrics().open.set(open_connections());
    if (!scope_.cancellation().requested()) tell_of_end(slot, why);
    slot.wanted = slot.keep_open;
    slot.closing = true;
    lost(connection);
    has_again();  // elsewhere: to end a session takes its time
    co_await connection.close();
    slot.closing = false;
    look_again();
    has_again();
  }
}

// Where a connection waits for an answer for so long that it takes no more queries, the next one is
// better opened elsewhere.
void Pool::suspect_silent_hosts() {
  for (const auto& slot : slots_) {
    const Connection& connection = slot->connection;
    if (connection.ready() && connection.silence() >= options_.pipeline_time)
      connector_.hosts().suspect(connection.host(), reactor_.now());
  }
  look_again();
}

void Pool::tell_of_end(const Slot& slot, std::string_view why) {
  const Connection& connection = slot.connection;
  if (connection.retired())
    return observer_.connection_retired(connection.session().address(), slot.retired);
  ledger_.metrics().lost.add();
  observer_.connection_lost(why, connection.depth());
}

void Pool::put_into_use(Slot& slot) {
  const Session& session = slot.connection.session();
  failures_ = 0;
  trouble_.clear();
  ledger_.metrics().connected.add();
  ledger_.metrics().open.set(open_connections());
  slot.ends = end_of_life();
  observer_.connected(session.address(), session.server_version);
  turn_may_have_come();
  look_again();
  has_again();
}

// A read may be asked again elsewhere, as often as its deadline allows: it was not the cause when
// the session was ended from outside, nor when another was to be answered before it. Only the one
// that was, the suspect, is asked again once, so that one which ends sessions does not end them
// all. What else was in flight can't be told done from undone.
void Pool::lost(Connection& connection) {
  const bool stopping = scope_.cancellation().requested();
  bool suspect = connection.front_is_wanted() && !connection.ended_by_order();
  io::List<QueryBase, QueryBase> again;
  while (QueryBase* query = connection.pop_unanswered()) {
    const bool is_suspect = std::exchange(suspect, false);
    QueryBase::Notes& notes = query->notes;
    const bool may_try = !is_suspect || !notes.tried_again;
    if (!stopping && query->statement().read_only && may_try && !notes.leased) {
      notes.tried_again |= is_suspect;
      notes.alone = true;
      notes.sent = notes.prepared_anew = false;
      put_in_line(*query, again);
      ledger_.metrics().asked_again.add();
    } else {
      ledger_.fail(*query, {Error::Kind::unavailable, nullptr,
                            "the connection was lost after the query was sent"});
    }
  }
  again.take(line_);
  line_.take(again);
}

bool Pool::execute(QueryBase& query, std::coroutine_handle<> awaiter) {
  if (!ledger_.begin(query, awaiter)) return false;
  submit(query);
  return true;
}

Connection* Pool::pick(Kind kind) {
  const auto at = [this](size_t i) -> Connection& { return slots_[i]->connection; };
  const uint32_t width = spread_.width(kind);
  Choice<Connection> choice;
  if (kind == Kind::quick) {
    choice = choose_for_quick<Connection>(slots_.size(), at, width);
  } else {
    const bool keep = reactor_.now() < ledger_.meter().last(Kind::quick) + kept_for;
    choice = choose_for_slow<Connection>(slots_.size(), at, width, keep ? spread_.left_alone() : 0);
  }
  if (choice.pressed) ledger_.meter().pressed(kind);
  if (choice.wants_another) want_another();
  if (choice.passed_over && choice.connection != nullptr) [[unlikely]]
    return trusted(*choice.connection);
  return choice.connection;
}

void Pool::want_another() {
  for (const auto& slot : slots_) {
    if (slot->closing || slot->connection.is_lent()) continue;
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
  rate_.answered(count, !line_.empty(), reactor_.now());
  spread_.look(reactor_.now());
  serve_waiting();
}

void Pool::ask_again(QueryBase& query) {
  ledger_.metrics().asked_again.add();
  submit(query);
}

void Pool::serves_again() {
  has_again();
  look_again();
}

void Pool::submit(QueryBase& query) {
  if (scope_.cancellation().requested())
    return ledger_.fail(query, {Error::Kind::cancelled, nullptr, {}});
  if (Connection* connection = line_.empty() ? pick(query.notes.kind) : nullptr)
    return connection->send(query);
  if (waiting_count_ >= options_.most_waiting || too_late(query))
    return ledger_.fail(query, {Error::Kind::overloaded, nullptr, {}});
  put_in_line(query, line_);
  want_another();
}

void Pool::put_in_line(QueryBase& query, io::List<QueryBase, QueryBase>& line) {
  query.notes.holder = this;
  line.push_back(query);
  count_waiting(1);
}

std::string Pool::forget(QueryBase& query, Error::Kind why) {
  withdraw(query);
  ledger_.ended(query, why);
  return why == Error::Kind::unavailable ? trouble_ : std::string();
}

void Pool::count_waiting(int more) {
  waiting_count_ += static_cast<size_t>(more);
  ledger_.metrics().waiting.set(waiting_count_);
}

void Pool::withdraw(QueryBase& query) {
  static_cast<io::ListNode<QueryBase>&>(query).unlink();
  count_waiting(-1);
}

void Pool::lend(Lease& lease) {
  if (scope_.cancellation().requested()) return lease.refuse(Error::Kind::cancelled);
  if (leases_count_ >= options_.most_waiting) return lease.refuse(Error::Kind::overloaded);
  leases_.push_back(lease);
  ++leases_count_;
  serve_leases();
}

void Pool::leave_line(Lease& lease) {
  static_cast<io::ListNode<Lease>&>(lease).unlink();
  --leases_count_;
}

// One connection stays with the pool's own queries, or they would wait for the end of transactions.
void Pool::serve_leases() {
  const size_t most = std::max<size_t>(slots_.size() - 1, 1);
  while (!leases_.empty()) {
    size_t lent = 0;
    Connection* least = nullptr;
    for (const auto& slot : slots_) {
      Connection& each = slot->connection;
      lent += each.is_lent() ? 1 : 0;
      if (each.ready() && (least == nullptr || each.depth() < least->depth())) least = &each;
    }
    if (lent >= most) return;
    // A busy one is taken as well: where the work does not end it would never be idle.
    if (least == nullptr || least->depth() != 0) want_another();
    if (least == nullptr) return;
    Lease& lease = leases_.front();
    leave_line(lease);
    least->lend(lease);
  }
}

// A connection, or the room for one.
void Pool::has_again() {
  serve_leases();
  serve_waiting();
}

void Pool::serve_waiting() {
  while (!line_.empty()) {
    QueryBase& query = line_.front();
    Connection* connection = pick(query.notes.kind);
    if (connection == nullptr) return;
    withdraw(query);
    connection->send(query);
  }
}

}  // namespace ringpost::pg
