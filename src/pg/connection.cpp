#include "src/pg/connection.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "proto/pg/frontend.h"
#include "src/io/usdt.h"
#include "src/pg/cancel.h"

namespace ringpost::pg {

namespace messages = proto::pg;
using messages::Pipeline;
using messages::StatementDescription;

namespace {

constexpr io::Duration cancel_timeout = std::chrono::seconds(1);
// Each costs the server a process; a session with a full pipeline may need as many.
constexpr std::chrono::milliseconds between_cancels{2};
// For what may have come already of a session that seems to be stuck.
constexpr std::chrono::milliseconds close_look{100};
// Of the storage for answers that are cut off at the end of a receive buffer: two of those.
constexpr size_t most_kept = 64 * 1024;
constexpr const char* no_answer = "no answer to a query that was given up";
constexpr const char* host_is_gone = "its host is gone";
// Between two answers of a busy server.
constexpr std::chrono::milliseconds usual_silence{10};

}  // namespace

Connection::Connection(const Context& context)
    : owner_(context.owner),
      scope_(context.scope),
      ledger_(context.ledger),
      reactor_(context.connector.reactor()),
      connector_(context.connector),
      options_(context.options),
      observer_(context.observer),
      session_(reactor_, connector_.buffers()),
      pipeline_(options_.pipeline_depth, options_.answer_bytes),
      prepared_(ledger_.made_now() + 1),  // the last is never kept
      load_(ledger_.costs()) {}

io::Task<Result<void>> Connection::open(io::Until until) {
  Connector::Walk walk(connector_, until);
  for (bool prepared = false; !prepared;) {
    const Result<size_t> host = co_await walk.next(session_);
    if (!host) co_return std::unexpected(host.error());
    host_ = *host;
    pipeline_ = Pipeline(options_.pipeline_depth, options_.answer_bytes);
    prepared_.clear();
    const io::Until prepared_by = connector_.attempt(until);
    Result<void> done;
    if (connector_.names().are_kept(reactor_.now()))
      done = co_await prepare_statements(prepared_by);
    prepared = done.has_value();
    if (prepared) continue;
    co_await close();
    walk.failed(session_, done.error().detail);
  }
  load_.begin(pipeline_.next_number(), reactor_.now());
  group_load_ = {};
  heard_ = reactor_.now();
  ready_ = true;
  co_return Result<void>();
}

// All in one round trip, if the pipeline is deep enough. A statement that fails is tried again when
// it is first used: the table may be there by then.
io::Task<Result<void>> Connection::prepare_statements(io::Until until) {
  const Ledger::Statements all = ledger_.statements();
  auto next = all.begin();
  while (next != all.end() || !pipeline_.empty()) {
    for (; next != all.end() && !pipeline_.full(); ++next) {
      Prepared::encode(session_.out(), **next, (*next)->server_name.view());
      pipeline_.push(session_.out(), Pipeline::Expect::prepare,
                     const_cast<StatementDescription*>(*next));
      // Only then: in the turn of the last answer the stream would be flushed before a first
      // query's Sync is there (flush()).
      session_.send();
    }
    const io::Result<std::string_view> bytes = co_await session_.receive(until);
    if (!bytes) {
      works_ = bytes.error().kind == io::Error::Kind::timed_out;  // a Parse waits for a lock, say
      co_return std::unexpected(unavailable(bytes.error().message()));
    }
    std::string_view input = *bytes;
    const std::optional<std::string> lost = hand_out(input);
    session_.unread().consume(session_.unread().size() - input.size());
    if (lost) co_return std::unexpected(unavailable(*lost));
  }
  co_return Result<void>();
}

io::Task<std::string> Connection::serve(io::Until until) {
  proto::wire::Buffer& unread = session_.unread();
  std::string why;
  ended_by_order_ = retired_ = false;
  ending_ = Ending::none;
  heard_ = reactor_.now();
  given_over_ = false;
  hit_before_ = 0;
  for (;;) {
    auto reading = session_.read(until);
    const io::Result<std::string_view> bytes = co_await reading;
    if (!bytes) {
      const bool interrupted = bytes.error().kind == io::Error::Kind::cancelled;
      works_ = interrupted && (given_over_ || over_);
      silent_ = works_ && silence() >= options_.give_up_timeout;
      if (works_)
        why = over_ ? over_because : no_answer;
      else
        why = ending_ == Ending::abandoned ? host_is_gone : bytes.error().message();
      break;
    }
    heard_ = reactor_.now();
    std::string_view input = *bytes;
    const bool kept = !unread.empty();
    if (kept) {
      unread.append(input);
      input = unread.view();
    }
    const uint64_t first = pipeline_.next_number();
    std::optional<std::string> lost = hand_out(input);
    if (lent_ != Lent::no && !lost) [[unlikely]]
      lost = settle_lease();
    if (given_over_ && !lost) [[unlikely]]
      lost = look_once_more();
    load_.answered(pipeline_, reactor_.now());
    if (kept)
      unread.consume(unread.size() - input.size());
    else
      unread.append(input);
    if (unread.empty() && unread.capacity() > most_kept) unread.release();
    note_use();
    if (!lost) owner_.answered(pipeline_.next_number() - first);
    if (lost) {
      why = std::move(*lost);
      break;
    }
    if (ending_ == Ending::none) [[likely]]
      continue;
    if (ending_ == Ending::retiring && !pipeline_.empty()) continue;
    why = host_is_gone;
    break;
  }
  retired_ = ending_ == Ending::retiring && pipeline_.empty();
  ending_ = Ending::none;
  ready_ = false;
  reactor_.timers().stop(*this);
  lent_ = Lent::no;
  note_use();
  over_ = false;
  if (Lease* lease = std::exchange(lease_, nullptr))
    lease->lost(unavailable("the connection was lost: " + why));
  co_return why;
}

void Connection::retire() {
  assert(ready_);
  ready_ = false;
  ending_ = Ending::retiring;
  if (pipeline_.empty()) session_.interrupt();
}

void Connection::abandon() {
  assert(ready_);
  ready_ = false;
  ending_ = Ending::abandoned;
  session_.interrupt();
}

io::Task<void> Connection::close() {
  ready_ = false;
  if (Flush::linked())
    Flush::unlink();  // the session is over: a group that is open will never be answered
  messages::encode_terminate(session_.out());
  session_.send();
  co_await session_.taken();
  bool ended = true;
  if (std::exchange(works_, false)) ended = co_await end_work();
  if (!ended) session_.abort();
  co_await session_.close();
  if (ended) co_return;
  // The server finds the way gone when it would tell of this cancel, and ends the session, however
  // much was asked of it.
  const io::Until until{reactor_.now() + cancel_timeout};
  co_await cancel_running(connector_, *session_.peer(), session_.cancel_key, until);
}

bool Connection::may_share(const QueryBase& query, size_t statement) const {
  return options_.shared_syncs && prepared_.has(statement) && query.statement().read_only &&
         !query.notes.alone && load_.cost(statement) < options_.group_member_time;
}

bool Connection::fits_group(size_t statement) const {
  return pipeline_.group_size() < options_.group_size &&
         group_load_ + load_.cost(statement) < options_.group_time;
}

void Connection::seal() {
  if (pipeline_.group_size() != 0) ledger_.metrics().syncs.add();
  pipeline_.seal(session_.out());
  group_load_ = {};
}

// At the end of the turn, before the stream's own, so that what gathered leaves whole.
void Connection::flush() {
  seal();
  session_.send();
}

void Connection::send(QueryBase& query) {
  assert((ready_ || ending_ == Ending::retiring || is_lent()) && !full());
  if (pipeline_.empty()) heard_ = reactor_.now();
  const size_t statement = query.notes.index;
  const bool shares = may_share(query, statement);
  if (!shares || !fits_group(statement)) seal();
  proto::wire::Buffer& out = session_.out();
  auto expect = Pipeline::Expect::execute;
  std::string_view name = query.statement().server_name.view();
  if (!prepared_.has(statement)) [[unlikely]] {
    expect = Pipeline::Expect::prepare_and_execute;
    query.notes.unnamed = !connector_.names().are_kept(reactor_.now());
    if (query.notes.unnamed) name = "";  // and not {}, of which no byte may be copied
    Prepared::encode(out, query.statement(), name);
  }
  query.encode(out, name);
  query.notes.holder = this;
  query.notes.sent = true;
  query.notes.number =
      pipeline_.push(out, expect, &query, shares ? Pipeline::Sync::shared : Pipeline::Sync::own,
                     load_.sent(statement, reactor_.now()));
  if (shares)
    group_load_ += load_.cost(statement);
  else
    ledger_.metrics().syncs.add();
  ledger_.metrics().sent.add();
  RINGPOST_PROBE(sent, &query, query.statement().name.data(), query.statement().name.size());
  note_use();
  reactor_.before_sends(*this);
}

void Connection::note_use() {
  const bool used = (ready_ || ending_ == Ending::retiring || is_lent()) && !pipeline_.empty();
  if (used == used_) return;
  used_ = used;
  io::Gauge& all = ledger_.metrics().used;
  all.set(all.value() + (used ? 1 : ~uint64_t{0}));
}

Load::Microseconds Connection::load() const {
  const io::Duration silence = reactor_.now() - heard_;
  if (pipeline_.empty() || silence < usual_silence) return load_.total();
  return load_.total() + Load::Microseconds(silence);
}

io::Duration Connection::silence() const {
  if (pipeline_.empty()) return io::Duration::zero();
  return reactor_.now() - std::max(heard_, reactor_.resumed());
}

std::string Connection::forget(QueryBase& query, Error::Kind why) {
  ledger_.ended(query, why);
  pipeline_.forget(query.notes.number);
  if (query.notes.leased)
    give_up_session();
  else if (ready_ || ending_ == Ending::retiring || is_lent())
    watch();
  return {};
}

void Connection::watch() {
  if (Timer::running()) return;
  given_up_.begin(pipeline_.next_number());
  // A session that was silent for all of it while its owner still waited has had its time.
  const io::Duration patience = options_.give_up_timeout;
  reactor_.timers().start(*this, reactor_.now() + (silence() < patience ? patience : patience / 4));
}

void Connection::expired() {
  if (pipeline_.empty()) return;
  io::Duration next = options_.give_up_timeout;
  switch (given_up_.look(pipeline_.next_number(), pipeline_.front_forgotten())) {
    case GivenUp::Do::nothing:
      break;
    case GivenUp::Do::cancel:
      scope_.spawn(cancel_front());
      break;
    case GivenUp::Do::look_closely:
      next = close_look;
      break;
    case GivenUp::Do::replace:
      given_over_ = true;  // unless an answer has come before serve() runs
      session_.interrupt();
      break;
  }
  reactor_.timers().start(*this, reactor_.now() + next);
}

// Something has come while the session was given over.
std::optional<std::string> Connection::look_once_more() {
  given_over_ = false;
  if (pipeline_.empty() || !given_up_.stays(pipeline_.next_number(), pipeline_.front_forgotten()))
    return std::nullopt;
  works_ = true;
  return no_answer;
}

// Beside serve(), which goes on reading: whatever runs when the request arrives is cancelled, and
// that may be one of those behind.
io::Task<void> Connection::cancel_front() {
  hit_before_ = all_may_be_hit;
  const io::Until until = scope_.until(reactor_.now() + cancel_timeout);
  co_await cancel_running(connector_, *session_.peer(), session_.cancel_key, until);
  hit_before_ = pipeline_.next_number() + pipeline_.depth();
  may_grant();
}

QueryBase* Connection::pop_unanswered() {
  while (!pipeline_.empty()) {
    if (auto* query = static_cast<QueryBase*>(pipeline_.pop_unanswered()); query != nullptr) {
      query->notes.holder = nullptr;
      return query;
    }
  }
  return nullptr;
}

// Until the session has left its place in max_connections, which the next one is to take; false
// when it does not. A cancel ends one statement, and the next may wait for the same lock. One that
// has not even answered the first cancel is tried for a moment more.
io::Task<bool> Connection::end_work() {
  const io::Until until{reactor_.now() + (silent_ ? cancel_timeout / 4 : cancel_timeout)};
  for (;;) {
    co_await cancel_running(connector_, *session_.peer(), session_.cancel_key, until);
    const io::Time again = reactor_.now() + between_cancels;
    do {
      auto reading = session_.read(until);
      const io::Result<std::string_view> bytes = co_await reading;
      if (!bytes) co_return bytes.error().kind != io::Error::Kind::timed_out;
    } while (reactor_.now() < again);
  }
}

}  // namespace ringpost::pg
