#include "src/pg/connection.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "proto/pg/frontend.h"
#include "src/io/connect.h"
#include "src/io/resolve.h"
#include "src/pg/crypto.h"
#include "src/pg/pool.h"

namespace ringpost::pg {

namespace messages = proto::pg;
using messages::Pipeline;
using messages::StatementDescription;
using proto::wire::Parse;

namespace {

// The server's send buffer is larger than any one send of ours that waits; past this it is stuck.
constexpr std::chrono::seconds send_timeout{10};
constexpr std::chrono::seconds cancel_timeout{1};
// For what may have come already of a session that seems to be stuck.
constexpr std::chrono::milliseconds last_look{100};
// A message before a session has begun; libpq takes a longer one for garbage too.
constexpr size_t longest_at_start = 64 * 1024;
// Of the storage for answers that are cut off at the end of a receive buffer: two of those.
constexpr size_t most_kept = 64 * 1024;
// Between two answers of a busy server.
constexpr std::chrono::milliseconds usual_silence{10};

// Where libpq leaves it to the system, which waits for two hours before it asks an idle peer and
// for a quarter of an hour for an acknowledgement: a session whose way was forgotten meanwhile (by
// a NAT, by a host that went) is to be found out while its queries can still be asked elsewhere.
constexpr std::chrono::seconds keepalive_idle{30}, keepalive_interval{5};
constexpr int keepalive_count = 3;
constexpr std::chrono::milliseconds user_timeout{1'000};

io::TcpOptions tcp_options(const messages::Conninfo& conninfo) {
  const messages::Conninfo::Keepalives& keepalives = conninfo.keepalives;
  return {.keepalives = keepalives.on,
          .keepalive_idle = keepalives.idle.value_or(keepalive_idle),
          .keepalive_interval = keepalives.interval.value_or(keepalive_interval),
          .keepalive_count = keepalives.count.value_or(keepalive_count),
          .user_timeout = conninfo.tcp_user_timeout.value_or(user_timeout)};
}

// In the order to try them in.
template <class T>
std::vector<T> ordered(std::vector<T> all, const messages::Conninfo& conninfo,
                       std::minstd_rand& random) {
  if (conninfo.load_balance_hosts == messages::Conninfo::LoadBalance::random)
    std::shuffle(all.begin(), all.end(), random);
  return all;
}

Error unavailable(std::string why) {
  return {.kind = Error::Kind::unavailable, .server = nullptr, .detail = std::move(why)};
}

Error from_server(std::string_view body) {
  return {.kind = Error::Kind::server,
          .server = std::make_shared<const messages::Error>(messages::decode_error(body)),
          .detail = {}};
}

}  // namespace

Connection::Connection(Pool& pool, io::Reactor& reactor, io::BufferGroup& buffers,
                       const Options& options, Statements statements, Observer& observer)
    : pool_(pool),
      reactor_(reactor),
      buffers_(buffers),
      options_(options),
      statements_(statements),
      observer_(observer),
      pipeline_(options.pipeline_depth, options.answer_bytes),
      load_(pool.costs_),
      prepared_(statements.size()) {}

// As libpq walks: each address of each host has its time, for all that opens a session. What could
// not be reached, was silent, or is starting up or shutting down (57P03) is passed over; another
// answer would be the same elsewhere, or is worth saying, and ends the walk.
io::Task<Result<void>> Connection::open(io::Until until) {
  std::string failures;
  const auto note = [&failures](std::string_view why) {
    failures.append(failures.empty() ? "" : "; ").append(why);
  };
  const messages::Conninfo& conninfo = options_.conninfo;
  const std::vector<messages::Host> hosts = ordered(conninfo.hosts, conninfo, random_);
  for (const messages::Host& host : hosts) {
    const io::Until resolved_by = attempt(until);
    const io::Result<std::vector<io::Address>> addresses = co_await addresses_of(host, resolved_by);
    if (!addresses) {
      note(host.text() + ": " + addresses.error().message());
      continue;
    }
    const std::vector<io::Address> tried = ordered(*addresses, conninfo, random_);
    for (const io::Address& address : tried) {
      const io::Until opened_by = attempt(until);
      const Result<void> opened = co_await open_at(address, opened_by);
      if (opened) co_return opened;
      note((address_.empty() ? host.text() : address_) + ": " + opened.error().detail);
      if (walk_ends_ || (until.cancellation != nullptr && until.cancellation->requested()))
        co_return std::unexpected(unavailable(std::move(failures)));
    }
  }
  co_return std::unexpected(unavailable(std::move(failures)));
}

io::Until Connection::attempt(io::Until until) const {
  return until.sooner(reactor_.now() + options_.connect_timeout);
}

io::Task<io::Result<std::vector<io::Address>>> Connection::addresses_of(const messages::Host& host,
                                                                        io::Until until) {
  if (host.is_unix_socket()) {
    const auto address = io::Address::unix_socket(host.socket_path());
    if (!address) co_return std::unexpected(io::Error::system(ENAMETOOLONG, "connect"));
    co_return std::vector<io::Address>(1, *address);
  }
  const std::string& name = host.address.empty() ? host.name : host.address;
  co_return co_await io::resolve(reactor_, name, host.port, until);
}

// A session at this address, to the end of its start; on failure nothing is left open.
io::Task<Result<void>> Connection::open_at(const io::Address& address, io::Until until) {
  walk_ends_ = false;
  address_.clear();
  const io::TcpOptions tcp = tcp_options(options_.conninfo);
  const io::Result<int> fd = co_await io::connect(reactor_, address, until, tcp);
  if (!fd) co_return std::unexpected(unavailable(fd.error().message()));
  peer_ = address;
  address_ = address.text();
  pipeline_ = Pipeline(options_.pipeline_depth, options_.answer_bytes);
  stream_.emplace(reactor_, buffers_, *fd, send_timeout);
  Result<void> started = co_await start(until);
  if (started) started = co_await prepare_statements(until);
  if (!started) {
    co_await close();
    co_return started;
  }
  load_.begin(pipeline_.next_number(), reactor_.now());
  group_load_ = {};
  ready_ = true;
  co_return started;
}

// The next bytes, behind those that were left unread. They live until the next call.
io::Task<io::Result<std::string_view>> Connection::receive(io::Until until) {
  auto reading = stream_->read(until);
  const io::Result<std::string_view> bytes = co_await reading;
  if (!bytes) co_return std::unexpected(bytes.error());
  unread_.append(*bytes);
  co_return unread_.view();
}

io::Task<Result<void>> Connection::start(io::Until until) {
  messages::Startup startup(options_.conninfo, openssl_crypto());
  startup.begin(stream_->out());
  stream_->send();
  for (;;) {
    const io::Result<std::string_view> bytes = co_await receive(until);
    if (!bytes) co_return std::unexpected(unavailable(bytes.error().message()));
    messages::Message message;
    for (;;) {
      const Parse parse = messages::next_message(unread_.view(), message);
      if (parse == Parse::invalid || message.size > longest_at_start)
        co_return std::unexpected(unavailable("it does not speak PostgreSQL's protocol"));
      if (parse == Parse::partial) break;
      const messages::Startup::State state = startup.take(message, stream_->out());
      stream_->send();
      unread_.consume(message.size);
      if (state == messages::Startup::State::failed) {
        walk_ends_ = !startup.server_error() || !startup.server_error()->is_cannot_connect_now();
        co_return std::unexpected(unavailable(startup.failure()));
      }
      if (state == messages::Startup::State::ready) {
        server_version_ = startup.server_version();
        cancel_key_ = startup.cancel_key();
        co_return Result<void>();
      }
    }
  }
}

// All in one round trip, if the pipeline is deep enough. A statement that fails is tried again when
// it is first used: the table may be there by then.
io::Task<Result<void>> Connection::prepare_statements(io::Until until) {
  std::fill(prepared_.begin(), prepared_.end(), false);
  auto next = statements_.begin();
  while (next != statements_.end() || !pipeline_.empty()) {
    for (; next != statements_.end() && !pipeline_.full(); ++next) {
      encode_prepare(stream_->out(), **next);
      pipeline_.push(stream_->out(), Pipeline::Expect::prepare,
                     const_cast<StatementDescription*>(*next));
      // Only then: in the turn of the last answer the stream would be flushed before a first
      // query's Sync is there (flush()).
      stream_->send();
    }
    const io::Result<std::string_view> bytes = co_await receive(until);
    if (!bytes) {
      works_ = bytes.error().kind == io::Error::Kind::timed_out;  // a Parse waits for a lock, say
      co_return std::unexpected(unavailable(bytes.error().message()));
    }
    std::string_view input = *bytes;
    const std::optional<std::string> lost = take(input);
    unread_.consume(unread_.size() - input.size());
    if (lost) co_return std::unexpected(unavailable(*lost));
  }
  co_return Result<void>();
}

io::Task<std::string> Connection::serve(io::Until until) {
  std::string why;
  ended_by_order_ = false;
  heard_ = reactor_.now();
  silence_ = Silence::usual;
  for (;;) {
    auto reading = stream_->read(until);
    const io::Result<std::string_view> bytes = co_await reading;
    if (!bytes) {
      const bool stalled =
          silence_ == Silence::stalled && bytes.error().kind == io::Error::Kind::cancelled;
      works_ = stalled;
      why = stalled ? "no answer to a query that was given up" : bytes.error().message();
      break;
    }
    heard_ = reactor_.now();
    silence_ = Silence::usual;
    std::string_view input = *bytes;
    const bool kept = !unread_.empty();
    if (kept) {
      unread_.append(input);
      input = unread_.view();
    }
    const uint64_t first = pipeline_.next_number();
    std::optional<std::string> lost = take(input);
    load_.answered(pipeline_, reactor_.now());
    if (kept)
      unread_.consume(unread_.size() - input.size());
    else
      unread_.append(input);
    if (unread_.empty() && unread_.capacity() > most_kept) unread_.release();
    if (!lost) pool_.answered(pipeline_.next_number() - first);
    if (lost) {
      why = std::move(*lost);
      break;
    }
  }
  ready_ = false;
  reactor_.timers().stop(*this);
  co_return why;
}

io::Task<void> Connection::close() {
  ready_ = false;
  if (Flush::linked())
    Flush::unlink();  // the session is over: a group that is open will never be answered
  if (!stream_->failed()) {
    messages::encode_terminate(stream_->out());
    stream_->send();
    auto draining = stream_->drained(0, {reactor_.now() + std::chrono::milliseconds(100)});
    const io::Result<void> drained = co_await draining;
    (void)drained;  // a farewell: nothing depends on it
  }
  if (std::exchange(works_, false)) co_await end_work();
  co_await stream_->close();
  stream_.reset();
  unread_.release();
}

void Connection::encode_prepare(proto::wire::Buffer& out, const StatementDescription& statement) {
  // Closing first makes it harmless when several queries prepare the same statement in one
  // pipeline.
  const std::string_view name = statement.server_name.view();
  messages::encode_close_statement(out, name);
  messages::encode_parse(out, name, statement.sql, statement.parameters);
  messages::encode_describe_statement(out, name);
}

bool Connection::may_share(const QueryBase& query, size_t statement) const {
  return options_.shared_syncs && prepared_[statement] && query.statement_.read_only &&
         !query.alone_ && load_.cost(statement) < options_.group_member_time;
}

bool Connection::fits_group(size_t statement) const {
  return pipeline_.group_size() < options_.group_size &&
         group_load_ + load_.cost(statement) < options_.group_time;
}

void Connection::seal() {
  pipeline_.seal(stream_->out());
  group_load_ = {};
}

// At the end of the turn, before the stream's own, so that what gathered leaves whole.
void Connection::flush() {
  seal();
  stream_->send();
}

void Connection::send(QueryBase& query) {
  assert(available());
  if (pipeline_.empty()) heard_ = reactor_.now();
  const size_t statement = query.index_;
  const bool shares = may_share(query, statement);
  if (!shares || !fits_group(statement)) seal();
  proto::wire::Buffer& out = stream_->out();
  auto expect = Pipeline::Expect::execute;
  if (!prepared_[statement]) [[unlikely]] {
    expect = Pipeline::Expect::prepare_and_execute;
    encode_prepare(out, query.statement_);
  }
  query.encode(out);
  query.connection_ = this;
  query.sent_ = true;
  query.number_ =
      pipeline_.push(out, expect, &query, shares ? Pipeline::Sync::shared : Pipeline::Sync::own,
                     load_.sent(statement, reactor_.now()));
  if (shares) group_load_ += load_.cost(statement);
  reactor_.before_sends(*this);
}

Load::Microseconds Connection::load() const {
  const io::Duration silence = reactor_.now() - heard_;
  if (pipeline_.empty() || silence < usual_silence) return load_.total();
  return load_.total() + Load::Microseconds(silence);
}

void Connection::forget(QueryBase& query) {
  pipeline_.forget(query.number_);
  query.connection_ = nullptr;
  if (ready_) watch(heard_ + options_.stall_timeout);
}

void Connection::watch(io::Time next_look) {
  reactor_.timers().stop(*this);
  reactor_.timers().start(*this, next_look);
}

void Connection::expired() {
  if (pipeline_.empty()) return;
  const io::Time now = reactor_.now(), patience_ends = heard_ + options_.stall_timeout;
  if (!pipeline_.front_forgotten() || now < patience_ends)
    return watch(now < patience_ends ? patience_ends : now + options_.stall_timeout);
  // Where this process was stopped, the question may have left just now, or the answer wait in the
  // kernel for a buffer.
  if (silence_ == Silence::usual) {
    silence_ = Silence::suspected;
    return watch(now + last_look);
  }
  silence_ = Silence::stalled;
  watch(now + options_.stall_timeout);  // for the case that something comes before serve() runs
  stream_->interrupt();
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
  prepared_[index] = false;
  if (answer.failed) return messages::decode_error(answer.error).text();
  if (auto checked = statement.check(answer.parameter_description, answer.row_description);
      !checked)
    return std::move(checked.error());
  prepared_[index] = true;
  return std::nullopt;
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
    prepared_[query.index_] = false;
    query.tried_again_ = query.alone_ = true;
    if (available()) return send(query);
  }
  // It gave way to another, and may have its turn now: in line with the others, wherever there is
  // room, and until its deadline. A statement that writes is its owner's to repeat.
  if (error.server->is_retryable() && query.statement_.read_only && !query.tried_again_) {
    query.tried_again_ = query.alone_ = true;
    query.sent_ = false;
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
    co_await cancel_running(until);
    auto reading = stream_->read(until);
    const io::Result<std::string_view> bytes = co_await reading;
    ended = !bytes;
  }
}

// Asks the server to end what this session is running, over a connection of its own (54.2.7
// "Canceling Requests in Progress").
io::Task<void> Connection::cancel_running(io::Until until) {
  const io::Result<int> fd = co_await io::connect(reactor_, *peer_, until);
  if (!fd) co_return;
  io::Stream stream(reactor_, buffers_, *fd, send_timeout);
  messages::encode_cancel_request(stream.out(), cancel_key_);
  stream.send();
  auto reading = stream.read(until);  // the server closes when it has taken the request
  const io::Result<std::string_view> nothing = co_await reading;
  (void)nothing;
  co_await stream.close();
}

}  // namespace ringpost::pg
