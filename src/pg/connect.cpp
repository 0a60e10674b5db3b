#include "src/pg/connect.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "proto/pg/frontend.h"
#include "proto/pg/startup.h"
#include "src/io/connect.h"
#include "src/io/resolve.h"
#include "src/pg/crypto.h"

namespace ringpost::pg {

namespace messages = proto::pg;
using proto::wire::Parse;

namespace {

// A message before a session has begun; libpq takes a longer one for garbage too.
constexpr size_t longest_at_start = 64 * 1024;

// Where libpq leaves it to the system, which waits for two hours before it asks an idle peer and
// for a quarter of an hour for an acknowledgement: a session whose way was forgotten meanwhile (by
// a NAT, by a host that went) is to be found out while its queries can still be asked elsewhere.
constexpr std::chrono::seconds keepalive_idle{30}, keepalive_interval{5};
constexpr int keepalive_count = 3;
constexpr std::chrono::milliseconds user_timeout{1'000};

constexpr const char* no_postgresql = "it does not speak PostgreSQL's protocol";

io::TcpOptions tcp_options(const messages::Conninfo& conninfo) {
  const messages::Conninfo::Keepalives& keepalives = conninfo.keepalives;
  return {.keepalives = keepalives.on,
          .keepalive_idle = keepalives.idle.value_or(keepalive_idle),
          .keepalive_interval = keepalives.interval.value_or(keepalive_interval),
          .keepalive_count = keepalives.count.value_or(keepalive_count),
          .user_timeout = conninfo.tcp_user_timeout.value_or(user_timeout)};
}

io::Task<void> end(Session& session) {
  messages::encode_terminate(session.out());
  session.send();
  co_await session.taken();
  co_await session.close();
}

}  // namespace

Connector::Connector(io::Reactor& reactor, io::BufferGroup& buffers, const Options& options)
    : reactor_(reactor),
      buffers_(buffers),
      options_(options),
      hosts_(options.conninfo, options.hosts, static_cast<uint32_t>(random_())) {}

Connector::Walk::Walk(Connector& connector, io::Until until)
    : connector_(connector), until_(until), plan_(connector.hosts_.plan()) {}

io::Task<Result<size_t>> Connector::Walk::next(Session& session) {
  Hosts& hosts = connector_.hosts_;
  for (;;) {
    while (next_address_ == addresses_.size()) {
      const bool there = co_await next_host();
      if (!there) co_return std::unexpected(failure());
    }
    const Hosts::Attempt at = plan_[next_ - 1];
    const io::Address address = addresses_[next_address_++];
    const io::Until opened_by = connector_.attempt(until_);
    const Heard heard = co_await connector_.open_at(session, address, at.wanted, opened_by);
    const io::Time now = connector_.reactor_.now();
    switch (heard.what) {
      case Heard::What::session:
        hosts.opened(at.host, session.server_state, now);
        co_return at.host;
      case Heard::What::misfit:
        hosts.opened(at.host, session.server_state, now);
        break;
      case Heard::What::nothing:
        if (next_address_ == addresses_.size() && !is_cancelled()) hosts.failed(at.host, now);
        break;
      case Heard::What::a_refusal:
        break;
    }
    note(address.text(), heard.why);
    if (heard.what == Heard::What::a_refusal || is_cancelled())
      co_return std::unexpected(failure());
  }
}

io::Task<bool> Connector::Walk::next_host() {
  if (next_ == plan_.size() || is_cancelled()) co_return false;
  const size_t index = plan_[next_++].host;
  const messages::Host& host = connector_.options_.conninfo.hosts[index];
  const io::Until resolved_by = connector_.attempt(until_);
  io::Result<std::vector<io::Address>> found = co_await connector_.addresses_of(host, resolved_by);
  next_address_ = 0;
  addresses_.clear();
  if (found) {
    addresses_ = std::move(*found);
  } else {
    note(host.text(), found.error().message());
    if (!is_cancelled()) connector_.hosts_.failed(index, connector_.reactor_.now());
  }
  co_return true;
}

bool Connector::Walk::is_cancelled() const {
  return until_.cancellation != nullptr && until_.cancellation->requested();
}

void Connector::Walk::failed(const Session& session, std::string_view why) {
  note(session.address(), why);
  const size_t host = plan_[next_ - 1].host;
  if (!is_cancelled()) connector_.hosts_.failed(host, connector_.reactor_.now());
}

void Connector::Walk::note(std::string_view what, std::string_view why) {
  notes_.emplace_back(plan_[next_ - 1].host, std::string(what).append(": ").append(why));
}

// In one order, in whichever they were tried: who logs it sees that nothing is new.
Error Connector::Walk::failure() {
  std::sort(notes_.begin(), notes_.end());
  notes_.erase(std::unique(notes_.begin(), notes_.end()), notes_.end());
  std::string text;
  for (const auto& [host, why] : notes_) text.append(text.empty() ? "" : "; ").append(why);
  return unavailable(std::move(text));
}

io::Task<void> Connector::look_at(size_t host, io::Until until) {
  const io::Until resolved_by = attempt(until);
  const io::Result<std::vector<io::Address>> addresses =
      co_await addresses_of(options_.conninfo.hosts[host], resolved_by);
  Session session(reactor_, buffers_);
  std::optional<messages::ServerState> seen;
  bool open = false;
  for (size_t i = 0; addresses && i < addresses->size() && !open; ++i) {
    const io::Address address = (*addresses)[i];
    const io::Until opened_by = attempt(until);
    const Heard heard = co_await open_at(session, address, hosts_.wanted(), opened_by);
    open = heard.what == Heard::What::session;
    if (open || heard.what == Heard::What::misfit) seen = session.server_state;
  }
  if (open) co_await end(session);
  if (until.cancellation != nullptr && until.cancellation->requested()) co_return;
  if (seen)
    hosts_.opened(host, *seen, reactor_.now());
  else
    hosts_.failed(host, reactor_.now());
}

io::Until Connector::attempt(io::Until until) const {
  return until.sooner(reactor_.now() + options_.connect_timeout);
}

io::Task<io::Result<std::vector<io::Address>>> Connector::addresses_of(const messages::Host& host,
                                                                       io::Until until) {
  if (host.is_unix_socket()) {
    const auto address = io::Address::unix_socket(host.socket_path());
    if (!address) co_return std::unexpected(io::Error::system(ENAMETOOLONG, "connect"));
    co_return std::vector<io::Address>(1, *address);
  }
  const std::string& name = host.address.empty() ? host.name : host.address;
  io::Result<std::vector<io::Address>> found =
      co_await io::resolve(reactor_, name, host.port, until);
  if (found && options_.conninfo.load_balance_hosts == messages::Conninfo::LoadBalance::random)
    std::shuffle(found->begin(), found->end(), random_);
  co_return found;
}

io::Task<Result<void>> Connector::reach(Session& session, io::Address address, io::Until until) {
  const io::TcpOptions tcp = tcp_options(options_.conninfo);
  const io::Result<int> fd = co_await io::connect(reactor_, address, until, tcp);
  if (!fd) co_return std::unexpected(unavailable(fd.error().message()));
  session.begin(*fd, address);
  co_return Result<void>();
}

io::Task<Connector::Heard> Connector::open_at(Session& session, io::Address address,
                                              Hosts::Wanted wanted, io::Until until) {
  Heard heard = co_await connect_to(session, address, until);
  if (heard.what != Heard::What::session) co_return heard;
  if (fit(wanted, session.server_state) == messages::Fit::unknown)
    heard = co_await ask(session, wanted, until);
  if (heard.what == Heard::What::session && fit(wanted, session.server_state) != messages::Fit::yes)
    heard = {Heard::What::misfit, describe_misfit(wanted, session.server_state)};
  if (heard.what != Heard::What::session) co_await end(session);
  co_return heard;
}

io::Task<Connector::Heard> Connector::connect_to(Session& session, io::Address address,
                                                 io::Until until) {
  const Result<void> reached = co_await reach(session, address, until);
  if (!reached) co_return Heard{Heard::What::nothing, reached.error().detail};
  const Heard heard = co_await start(session, until);
  if (heard.what != Heard::What::session) co_await end(session);
  co_return heard;
}

io::Task<Connector::Heard> Connector::start(Session& session, io::Until until) {
  messages::Startup startup(options_.conninfo, openssl_crypto());
  session.server_state = {};
  startup.begin(session.out());
  session.send();
  for (;;) {
    const io::Result<std::string_view> bytes = co_await session.receive(until);
    if (!bytes) co_return Heard{Heard::What::nothing, bytes.error().message()};
    messages::Message message;
    for (;;) {
      const Parse parse = messages::next_message(session.unread().view(), message);
      if (parse == Parse::invalid || message.size > longest_at_start)
        co_return Heard{Heard::What::nothing, no_postgresql};
      if (parse == Parse::partial) break;
      const messages::Startup::State next = startup.take(message, session.out());
      if (message.type == 'S')
        if (const auto status = messages::decode_parameter_status(message.body))
          session.server_state.take(*status);
      session.send();
      session.unread().consume(message.size);
      if (next == messages::Startup::State::failed) {
        const bool starting =
            startup.server_error() && startup.server_error()->is_cannot_connect_now();
        co_return Heard{starting ? Heard::What::nothing : Heard::What::a_refusal,
                        startup.failure()};
      }
      if (next == messages::Startup::State::ready) {
        session.server_version = startup.server_version();
        session.cancel_key = startup.cancel_key();
        co_return Heard{Heard::What::session};
      }
    }
  }
}

// What it has not said by itself.
io::Task<Connector::Heard> Connector::ask(Session& session, Hosts::Wanted wanted, io::Until until) {
  messages::StateQuery query(wanted);
  query.begin(session.out());
  session.send();
  for (;;) {
    const io::Result<std::string_view> bytes = co_await session.receive(until);
    if (!bytes) co_return Heard{Heard::What::nothing, bytes.error().message()};
    messages::Message message;
    for (;;) {
      const Parse parse = messages::next_message(session.unread().view(), message);
      if (parse == Parse::invalid || message.size > longest_at_start)
        co_return Heard{Heard::What::nothing, no_postgresql};
      if (parse == Parse::partial) break;
      const messages::StateQuery::State next = query.take(message, session.server_state);
      session.unread().consume(message.size);
      if (next == messages::StateQuery::State::failed)
        co_return Heard{Heard::What::nothing, query.failure()};
      if (next == messages::StateQuery::State::done) co_return Heard{Heard::What::session};
    }
  }
}

}  // namespace ringpost::pg
