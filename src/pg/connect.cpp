#include "src/pg/connect.h"

#include <algorithm>
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

}  // namespace

// Each address of each host has its time, for all that opens a session. What could not be reached,
// was silent, or is starting up or shutting down (57P03) is passed over; another answer would be
// the same elsewhere, or is worth saying, and ends the walk.
io::Task<Result<void>> Connector::connect(Session& session, io::Until until) {
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
      const Result<void> opened = co_await connect_to(session, address, opened_by);
      if (opened) co_return opened;
      note(address.text() + ": " + opened.error().detail);
      if (walk_ends_ || (until.cancellation != nullptr && until.cancellation->requested()))
        co_return std::unexpected(unavailable(std::move(failures)));
    }
  }
  co_return std::unexpected(unavailable(std::move(failures)));
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
  co_return co_await io::resolve(reactor_, name, host.port, until);
}

io::Task<Result<void>> Connector::reach(Session& session, io::Address address, io::Until until) {
  const io::TcpOptions tcp = tcp_options(options_.conninfo);
  const io::Result<int> fd = co_await io::connect(reactor_, address, until, tcp);
  if (!fd) co_return std::unexpected(unavailable(fd.error().message()));
  session.begin(*fd, address);
  co_return Result<void>();
}

io::Task<Result<void>> Connector::connect_to(Session& session, io::Address address,
                                             io::Until until) {
  walk_ends_ = false;
  const Result<void> reached = co_await reach(session, address, until);
  if (!reached) co_return reached;
  const Result<void> started = co_await start(session, until);
  if (!started) {
    messages::encode_terminate(session.out());
    session.send();
    co_await session.taken();
    co_await session.close();
  }
  co_return started;
}

io::Task<Result<void>> Connector::start(Session& session, io::Until until) {
  messages::Startup startup(options_.conninfo, openssl_crypto());
  startup.begin(session.out());
  session.send();
  for (;;) {
    const io::Result<std::string_view> bytes = co_await session.receive(until);
    if (!bytes) co_return std::unexpected(unavailable(bytes.error().message()));
    messages::Message message;
    for (;;) {
      const Parse parse = messages::next_message(session.unread().view(), message);
      if (parse == Parse::invalid || message.size > longest_at_start)
        co_return std::unexpected(unavailable("it does not speak PostgreSQL's protocol"));
      if (parse == Parse::partial) break;
      const messages::Startup::State state = startup.take(message, session.out());
      session.send();
      session.unread().consume(message.size);
      if (state == messages::Startup::State::failed) {
        walk_ends_ = !startup.server_error() || !startup.server_error()->is_cannot_connect_now();
        co_return std::unexpected(unavailable(startup.failure()));
      }
      if (state == messages::Startup::State::ready) {
        session.server_version = startup.server_version();
        session.cancel_key = startup.cancel_key();
        co_return Result<void>();
      }
    }
  }
}

}  // namespace ringpost::pg
