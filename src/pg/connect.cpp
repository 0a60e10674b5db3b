#include "src/pg/connect.h"

#include <algorithm>
#include <utility>

#include "src/io/resolve.h"

namespace ringpost::pg {

namespace messages = proto::pg;

namespace {

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
      const Attempt opened = co_await connect_to(session, host, address, opened_by);
      if (opened) co_return Result<void>();
      note(address.text() + ": " + opened.error().error.detail);
      if (opened.error().ends_walk || (until.cancellation != nullptr && until.cancellation->requested()))
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

}  // namespace ringpost::pg
