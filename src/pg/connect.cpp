#include "src/pg/connect.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "src/io/resolve.h"

namespace ringpost::pg {

namespace messages = proto::pg;

Connector::Connector(io::Reactor& reactor, io::BufferGroup& buffers, const Options& options)
    : reactor_(reactor),
      buffers_(buffers),
      options_(options),
      encryption_(options.conninfo),
      passwords_(options.passwords != nullptr ? options.passwords
                                              : std::make_shared<Passwords>(options.conninfo)),
      keys_(reactor, openssl_crypto()),
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
    const messages::Host& host = connector_.options_.conninfo.hosts[at.host];
    const Heard heard = co_await connector_.open_at(session, host, address, at.wanted, opened_by);
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
    const Heard heard = co_await open_at(session, options_.conninfo.hosts[host], address,
                                         hosts_.wanted(), opened_by);
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

}  // namespace ringpost::pg
