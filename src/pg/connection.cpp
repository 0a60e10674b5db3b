#include "src/pg/connection.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "proto/pg/frontend.h"
#include "src/io/usdt.h"
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
constexpr const char* no_answer = "no answer to a query that was given up";
constexpr const char* host_is_gone = "its host is gone";
// Between two answers of a busy server.
constexpr std::chrono::milliseconds usual_silence{10};

Error from_server(std::string_view body) {
  return {.kind = Error::Kind::server,
          .server = std::make_shared<const messages::ErrorResponse>(messages::decode_error(body)),
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
      prepared_(statements.size() + 1),  // the last: made at run time, never kept
      load_(pool.costs_) {}

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
  auto next = statements_.begin();
  while (next != statements_.end() || !pipeline_.empty()) {
    for (; next != statements_.end() && !pipeline_.full(); ++next) {
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
    if (!lost) pool_.answered(pipeline_.next_number() - first);
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
  assert((ready_ || ending_ == Ending::retiring || is_lent()) && !full());
  if (pipeline_.empty()) heard_ = reactor_.now();
  const size_t statement = query.index_;
  const bool shares = may_share(query, statement);
  if (!shares || !fits_group(statement)) seal();
  proto::wire::Buffer& out = session_.out();
  auto expect = Pipeline::Expect::execute;
  std::string_view name = query.statement_.server_name.view();
  if (!prepared_.has(statement)) [[unlikely]] {
    expect = Pipeline::Expect::prepare_and_execute;
    query.unnamed_ = !connector_.names().are_kept(reactor_.now());
    if (query.unnamed_) name = "";  // and not {}, of which no byte may be copied
    Prepared::encode(out, query.statement_, name);
  }
  query.encode(out, name);
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
  RINGPOST_PROBE(sent, &query, query.statement_.name.data(), query.statement_.name.size());
  note_use();
  reactor_.before_sends(*this);
}

void Connection::note_use() {
  const bool used = (ready_ || ending_ == Ending::retiring || is_lent()) && !pipeline_.empty();
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

io::Duration Connection::silence() const {
  if (pipeline_.empty()) return io::Duration::zero();
  return reactor_.now() - std::max(heard_, reactor_.resumed());
}

void Connection::forget(QueryBase& query) {
  pipeline_.forget(query.number_);
  query.connection_ = nullptr;
  if (query.leased_) return give_up_session();
  if (ready_ || ending_ == Ending::retiring || is_lent()) watch();
}

void Connection::watch() {
  if (Timer::running()) return;
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
  const io::Until until = pool_.scope_.until(reactor_.now() + cancel_timeout);
  co_await cancel_running(connector_, *session_.peer(), session_.cancel_key, until);
  hit_before_ = pipeline_.next_number() + pipeline_.depth();
  may_grant();
}

QueryBase* Connection::pop_unanswered() {
  while (!pipeline_.empty()) {
    if (auto* query = static_cast<QueryBase*>(pipeline_.pop_unanswered()); query != nullptr) {
      query->connection_ = nullptr;
      return query;
    }
  }
  return nullptr;
}

std::optional<std::string> Connection::hand_out(std::string_view& input) {
  for (;;) {
    const Pipeline::Event event = pipeline_.next(input);
    const size_t consumed = pipeline_.consumed();
    switch (event) {
      case Pipeline::Event::more:
        input.remove_prefix(consumed);
        return std::nullopt;
      case Pipeline::Event::answer: {
        const Pipeline::Answer answer = pipeline_.answer();
        if (answer.expect == Pipeline::Expect::prepare)
          described(answer);
        else
          answered(answer);
        break;
      }
      case Pipeline::Event::too_large:
        passed_limit(pipeline_.answer());
        break;
      case Pipeline::Event::asynchronous:
        take_asynchronous(pipeline_.message());
        break;
      case Pipeline::Event::fatal: {
        const messages::ErrorResponse fatal = messages::decode_error(pipeline_.message().body);
        if (fatal.is_lost_statement()) give_names_up(fatal);
        ended_by_order_ |= fatal.is_ended_from_outside();
        return fatal.text();
      }
      case Pipeline::Event::skipped:
        skipped(pipeline_.answer());
        break;
      case Pipeline::Event::violation:
        return std::string("protocol violation: a message of type '") +
               static_cast<char>(pipeline_.message().type) + "' out of place";
    }
    input.remove_prefix(consumed);
  }
}

void Connection::take_asynchronous(const messages::Message& message) {
  if (message.type == messages::BackendMessage::NoticeResponse) {
    const messages::ErrorResponse notice = messages::decode_error(message.body);
    ended_by_order_ |= notice.is_ended_from_outside();
    observer_.notice(notice.severity, notice.message);
  } else if (message.type == messages::BackendMessage::ParameterStatus) {
    const auto status = messages::decode_parameter_status(message.body);
    if (status && session_.server_state.take(*status)) server_changed();
  }
}

void Connection::server_changed() {
  Hosts& hosts = connector_.hosts();
  if (hosts.wanted() == Hosts::Wanted::any) return;
  hosts.changed(host_, session_.server_state, reactor_.now());
  pool_.look_again();
}

// A server that takes no writes by now, though asked for as one that does.
bool Connection::is_demoted(const messages::ErrorResponse& error) const {
  const Hosts::Wanted wanted = connector_.hosts().wanted();
  return error.is_read_only_transaction() &&
         (wanted == Hosts::Wanted::primary || wanted == Hosts::Wanted::read_write);
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

// A statement was prepared when the session opened.
void Connection::described(const Pipeline::Answer& answer) {
  const auto& statement = *static_cast<const StatementDescription*>(answer.owner);
  const auto failure = prepared_.note(pool_.index_of(statement), statement, answer);
  if (!failure) return;
  if (answer.failed) {
    const messages::ErrorResponse why = messages::decode_error(answer.error);
    if (why.is_duplicate_statement()) return give_names_up(why);
  }
  observer_.statement_failed(statement.name, *failure);
}

void Connection::answered(const Pipeline::Answer& answer) {
  auto& query = *static_cast<QueryBase*>(answer.owner);
  query.connection_ = nullptr;
  if (answer.expect == Pipeline::Expect::prepare_and_execute && !query.made_now_) {
    const auto failure = query.unnamed_ ? Prepared::check(query.statement_, answer)
                                        : prepared_.note(query.index_, query.statement_, answer);
    if (failure && !answer.failed)
      return query.fail({.kind = Error::Kind::mismatch, .server = nullptr, .detail = *failure});
  }
  if (!answer.failed) return query.succeed(answer);
  failed(query, from_server(answer.error));
}

// Asks `query` again, or tells it. What is sent here takes the place in the pipeline that has just
// become free. With a query of a lease its transaction has failed, and is its owner's to repeat.
void Connection::failed(QueryBase& query, Error error) {
  const messages::ErrorResponse& server = *error.server;
  // The statement's tables have changed under it, or it was deallocated: it is prepared anew. What
  // one that is made at run time says of others by name is its own affair.
  if (server.is_stale_statement() && !query.prepared_anew_ && !query.made_now_) {
    if (!server.is_lost_statement())
      prepared_.forget(query.index_);
    else if (prepared_.lose(query.index_, reactor_.now()))
      give_names_up(server);
    query.prepared_anew_ = query.alone_ = true;
    if (!query.leased_) return send(query);
  }
  if (server.is_duplicate_statement() && !query.unnamed_ && !query.made_now_) {
    give_names_up(server);
    query.alone_ = true;
    if (!query.leased_) return send(query);
  }
  // It gave way to another, or was hit in place of one that was given up, and may have its turn
  // now: in line with the others, wherever there is room, and until its deadline. A statement that
  // writes is its owner's to repeat.
  const bool hit = server.is_query_canceled() && query.number_ < hit_before_;
  if ((hit || server.is_retryable()) && query.statement_.read_only && !query.tried_again_ &&
      !query.leased_) {
    query.tried_again_ = query.alone_ = true;
    query.sent_ = query.prepared_anew_ = false;
    pool_.metrics_.asked_again.add();
    return pool_.submit(query);
  }
  if (is_demoted(server)) {
    session_.server_state.in_hot_standby = true;
    server_changed();
    error.detail = "its server takes no writes any more: " + server.text();
    error.kind = Error::Kind::unavailable;
  }
  query.fail(std::move(error));
}

void Connection::give_names_up(const messages::ErrorResponse& why) {
  if (connector_.names().give_up(reactor_.now(), options_.unnamed_pause))
    observer_.statements_not_kept(why.text());
}

// It has not been tried, so it does not count as tried again. It leaves at once, as it would have
// been answered by now; and alone, as what made another fail may make it fail too: n of a group
// cost 2 n executions then, and not n^2.
void Connection::skipped(const Pipeline::Answer& answer) {
  auto& query = *static_cast<QueryBase*>(answer.owner);
  query.alone_ = true;
  send(query);
}

// Until the session has left its place in max_connections, which the next one is to take; false
// when it does not. A cancel ends one statement, and the next may wait for the same lock.
io::Task<bool> Connection::end_work() {
  const io::Until until{reactor_.now() + cancel_timeout};
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
