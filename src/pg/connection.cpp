#include "src/pg/connection.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "proto/pg/frontend.h"
#include "src/pg/cancel.h"
#include "src/pg/pool.h"

namespace ringpost::pg {

namespace messages = proto::pg;
using messages::Pipeline;
using messages::StatementDescription;

namespace {

constexpr std::chrono::seconds cancel_timeout{1};
// Each costs the server a process; a session with a full pipeline may need as many.
constexpr std::chrono::milliseconds between_cancels{2};
// For what may have come already of a session that seems to be stuck.
constexpr std::chrono::milliseconds close_look{100};
// Of the storage for answers that are cut off at the end of a receive buffer: two of those.
constexpr size_t most_kept = 64 * 1024;
// Between two answers of a busy server.
constexpr std::chrono::milliseconds usual_silence{10};

Error from_server(std::string_view body) {
  return {.kind = Error::Kind::server,
          .server = std::make_shared<const messages::Error>(messages::decode_error(body)),
          .detail = {}};
}

}  // namespace

Connection::Connection(Pool& pool, Connector& connector, const Options& options,
                       Statements statements, Observer& observer)
    : pool_(pool),
      reactor_(connector.reactor()),
      connector_(connector),
      options_(options),
      statements_(statements),
      observer_(observer),
      session_(connector.reactor(), connector.buffers()),
      pipeline_(options.pipeline_depth, options.answer_bytes),
      prepared_(statements.size()),
      load_(pool.costs_) {}

io::Task<Result<void>> Connection::open(io::Until until) {
  Result<void> opened = co_await connector_.connect(session_, until);
  if (!opened) co_return opened;
  pipeline_ = Pipeline(options_.pipeline_depth, options_.answer_bytes);
  prepared_.clear();
  const io::Until prepared_by = connector_.attempt(until);
  opened = co_await prepare_statements(prepared_by);
  if (!opened) {
    opened.error().detail.insert(0, session_.address() + ": ");
    co_await close();
    co_return opened;
  }
  load_.begin(pipeline_.next_number(), reactor_.now());
  group_load_ = {};
  ready_ = true;
  co_return opened;
}

// All in one round trip, if the pipeline is deep enough. A statement that fails is tried again when
// it is first used: the table may be there by then.
io::Task<Result<void>> Connection::prepare_statements(io::Until until) {
  auto next = statements_.begin();
  while (next != statements_.end() || !pipeline_.empty()) {
    for (; next != statements_.end() && !pipeline_.full(); ++next) {
      Prepared::encode(session_.out(), **next);
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
    const std::optional<std::string> lost = take(input);
    session_.unread().consume(session_.unread().size() - input.size());
    if (lost) co_return std::unexpected(unavailable(*lost));
  }
  co_return Result<void>();
}

io::Task<std::string> Connection::serve(io::Until until) {
  proto::wire::Buffer& unread = session_.unread();
  std::string why;
  ended_by_order_ = false;
  heard_ = reactor_.now();
  given_over_ = false;
  hit_before_ = 0;
  for (;;) {
    auto reading = session_.read(until);
    const io::Result<std::string_view> bytes = co_await reading;
    if (!bytes) {
      works_ = given_over_ && bytes.error().kind == io::Error::Kind::cancelled;
      why = works_ ? "no answer to a query that was given up" : bytes.error().message();
      break;
    }
    heard_ = reactor_.now();
    given_over_ = false;
    std::string_view input = *bytes;
    const bool kept = !unread.empty();
    if (kept) {
      unread.append(input);
      input = unread.view();
    }
    const uint64_t first = pipeline_.next_number();
    std::optional<std::string> lost = take(input);
    load_.answered(pipeline_, reactor_.now());
    if (kept)
      unread.consume(unread.size() - input.size());
    else
      unread.append(input);
    if (unread.empty() && unread.capacity() > most_kept) unread.release();
    note_use();
    if (!lost) pool_.answered(pipeline_.next_number() - first);
    if (lost) {
      why = std::move(*lost);
      break;
    }
  }
  ready_ = false;
  note_use();
  reactor_.timers().stop(*this);
  co_return why;
}

io::Task<void> Connection::close() {
  ready_ = false;
  if (Flush::linked())
    Flush::unlink();  // the session is over: a group that is open will never be answered
  messages::encode_terminate(session_.out());
  session_.send();
  co_await session_.taken();
  if (std::exchange(works_, false)) co_await end_work();
  co_await session_.close();
}

bool Connection::may_share(const QueryBase& query, size_t statement) const {
  return options_.shared_syncs && prepared_.has(statement) && query.statement_.read_only &&
         !query.alone_ && load_.cost(statement) < options_.group_member_time;
}

bool Connection::fits_group(size_t statement) const {
  return pipeline_.group_size() < options_.group_size &&
         group_load_ + load_.cost(statement) < options_.group_time;
}

void Connection::seal() {
  if (pipeline_.group_size() != 0) pool_.metrics_.syncs.add();
  pipeline_.seal(session_.out());
  group_load_ = {};
}

// At the end of the turn, before the stream's own, so that what gathered leaves whole.
void Connection::flush() {
  seal();
  session_.send();
}

void Connection::send(QueryBase& query) {
  assert(available());
  if (pipeline_.empty()) heard_ = reactor_.now();
  const size_t statement = query.index_;
  const bool shares = may_share(query, statement);
  if (!shares || !fits_group(statement)) seal();
  proto::wire::Buffer& out = session_.out();
  auto expect = Pipeline::Expect::execute;
  if (!prepared_.has(statement)) [[unlikely]] {
    expect = Pipeline::Expect::prepare_and_execute;
    Prepared::encode(out, query.statement_);
  }
  query.encode(out);
  query.connection_ = this;
  query.sent_ = true;
  query.number_ =
      pipeline_.push(out, expect, &query, shares ? Pipeline::Sync::shared : Pipeline::Sync::own,
                     load_.sent(statement, reactor_.now()));
  if (shares)
    group_load_ += load_.cost(statement);
  else
    pool_.metrics_.syncs.add();
  pool_.metrics_.sent.add();
  note_use();
  reactor_.before_sends(*this);
}

void Connection::note_use() {
  const bool used = ready_ && !pipeline_.empty();
  if (used == used_) return;
  used_ = used;
  io::Gauge& all = pool_.metrics_.used;
  all.set(all.value() + (used ? 1 : ~uint64_t{0}));
}

Load::Microseconds Connection::load() const {
  const io::Duration silence = reactor_.now() - heard_;
  if (pipeline_.empty() || silence < usual_silence) return load_.total();
  return load_.total() + Load::Microseconds(silence);
}

void Connection::forget(QueryBase& query) {
  pipeline_.forget(query.number_);
  query.connection_ = nullptr;
  if (!ready_ || Timer::running()) return;
  given_up_.begin(pipeline_.next_number());
  reactor_.timers().start(*this, reactor_.now() + options_.give_up_timeout);
}

void Connection::expired() {
  if (pipeline_.empty()) return;
  io::Duration next = options_.give_up_timeout;
  switch (given_up_.look(pipeline_.next_number(), pipeline_.front_forgotten())) {
    case GivenUp::Do::nothing:
      break;
    case GivenUp::Do::cancel:
      pool_.scope_.spawn(cancel_front());
      break;
    case GivenUp::Do::look_closely:
      next = close_look;
      break;
    case GivenUp::Do::replace:
      given_over_ = true;  // unless something comes before serve() runs
      session_.interrupt();
      break;
  }
  reactor_.timers().start(*this, reactor_.now() + next);
}

// Beside serve(), which goes on reading: whatever runs when the request arrives is cancelled, and
// that may be one of those behind.
io::Task<void> Connection::cancel_front() {
  hit_before_ = ~uint64_t{0};
  const io::Until until = pool_.scope_.until(reactor_.now() + cancel_timeout);
  co_await cancel_running(connector_, *session_.peer(), session_.cancel_key, until);
  hit_before_ = pipeline_.next_number() + pipeline_.depth();
}

QueryBase* Connection::take_unanswered() {
  while (!pipeline_.empty()) {
    if (auto* query = static_cast<QueryBase*>(pipeline_.pop_unanswered()); query != nullptr) {
      query->connection_ = nullptr;
      return query;
    }
  }
  return nullptr;
}

std::optional<std::string> Connection::take(std::string_view& input) {
  for (;;) {
    const Pipeline::Event event = pipeline_.next(input);
    const size_t consumed = pipeline_.consumed();
    switch (event) {
      case Pipeline::Event::more:
        input.remove_prefix(consumed);
        return std::nullopt;
      case Pipeline::Event::answer: {
        const Pipeline::Answer answer = pipeline_.answer();
        answered(answer);
        break;
      }
      case Pipeline::Event::too_large:
        passed_limit(pipeline_.answer());
        break;
      case Pipeline::Event::asynchronous:
        if (pipeline_.message().type == 'N') {
          const messages::Error notice = messages::decode_error(pipeline_.message().body);
          observer_.notice(notice.severity, notice.message);
        }
        break;
      case Pipeline::Event::fatal: {
        const messages::Error fatal = messages::decode_error(pipeline_.message().body);
        ended_by_order_ = fatal.is_admin_shutdown();
        return fatal.text();
      }
      case Pipeline::Event::skipped:
        skipped(pipeline_.answer());
        break;
      case Pipeline::Event::violation:
        return std::string("protocol violation: a message of type '") + pipeline_.message().type +
               "' out of place";
    }
    input.remove_prefix(consumed);
  }
}

void Connection::passed_limit(const Pipeline::Answer& answer) {
  const std::string limit = " is larger than " + std::to_string(options_.answer_bytes) + " bytes";
  if (answer.expect == Pipeline::Expect::prepare) {
    const auto& statement = *static_cast<const StatementDescription*>(answer.owner);
    return observer_.statement_failed(statement.name, "its description" + limit);
  }
  auto& query = *static_cast<QueryBase*>(answer.owner);
  query.connection_ = nullptr;
  query.fail({.kind = Error::Kind::too_large,
              .server = nullptr,
              .detail = "the answer to " + std::string(query.statement_.name) + limit});
}

// Why the answer shows that `statement` can't be used as it is declared; no value when it can.
std::optional<std::string> Connection::check_prepared(const Pipeline::Answer& answer,
                                                      const StatementDescription& statement) {
  const size_t index = pool_.index_of(statement);  // it was asked, so it is one of the pool's
  return prepared_.take(index, statement, answer);
}

void Connection::answered(const Pipeline::Answer& answer) {
  if (answer.expect == Pipeline::Expect::prepare) {
    const auto& statement = *static_cast<const StatementDescription*>(answer.owner);
    if (const auto failure = check_prepared(answer, statement))
      observer_.statement_failed(statement.name, *failure);
    return;
  }
  auto& query = *static_cast<QueryBase*>(answer.owner);
  query.connection_ = nullptr;
  if (answer.expect == Pipeline::Expect::prepare_and_execute) {
    const auto failure = check_prepared(answer, query.statement_);
    if (failure && !answer.failed)
      return query.fail({.kind = Error::Kind::mismatch, .server = nullptr, .detail = *failure});
  }
  if (!answer.failed) return query.succeed(answer.rows);
  Error error = from_server(answer.error);
  // The statement's tables have changed under it, or it was deallocated: prepare it anew.
  if (error.server->is_stale_statement() && !query.tried_again_) {
    prepared_.forget(query.index_);
    query.tried_again_ = query.alone_ = true;
    if (available()) return send(query);
  }
  // It gave way to another, or was hit in place of one that was given up, and may have its turn
  // now: in line with the others, wherever there is room, and until its deadline. A statement that
  // writes is its owner's to repeat.
  const bool hit = error.server->is_query_canceled() && query.number_ < hit_before_;
  if ((hit || error.server->is_retryable()) && query.statement_.read_only && !query.tried_again_) {
    query.tried_again_ = query.alone_ = true;
    query.sent_ = false;
    pool_.metrics_.asked_again.add();
    return pool_.submit(query);
  }
  query.fail(std::move(error));
}

// It has not been tried, so it does not count as tried again. It leaves at once, as it would have
// been answered by now; and alone, as what made another fail may make it fail too: n of a group
// cost 2 n executions then, and not n^2.
void Connection::skipped(const Pipeline::Answer& answer) {
  auto& query = *static_cast<QueryBase*>(answer.owner);
  query.alone_ = true;
  send(query);
}

// Until the session has left its place in max_connections, which the next one is to take. A cancel
// ends one statement, and the next may wait for the same lock.
io::Task<void> Connection::end_work() {
  const io::Until until{reactor_.now() + cancel_timeout};
  for (bool ended = false; !ended;) {
    co_await cancel_running(connector_, *session_.peer(), session_.cancel_key, until);
    const io::Time again = reactor_.now() + between_cancels;
    do {
      auto reading = session_.read(until);
      const io::Result<std::string_view> bytes = co_await reading;
      ended = !bytes;
    } while (!ended && reactor_.now() < again);
  }
}

}  // namespace ringpost::pg
