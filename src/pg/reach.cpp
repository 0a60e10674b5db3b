// The part of Connector that opens a session at one address: socket, TLS, start, and whether its
// server is what is asked for.
#include <cerrno>
#include <span>
#include <utility>

#include <openssl/crypto.h>
#include <pwd.h>
#include <sys/socket.h>

#include "proto/pg/frontend.h"
#include "proto/pg/startup.h"
#include "src/io/connect.h"
#include "src/io/peer_certificate.h"
#include "src/io/tls_reason.h"
#include "src/pg/connect.h"

namespace ringpost::pg {

namespace messages = proto::pg;
using messages::Conninfo;
using proto::wire::Parse;

namespace {

// A message before a session has begun; libpq takes a longer one for garbage too.
constexpr size_t longest_at_start = 64 * 1024;

constexpr const char* other_protocol = "it does not speak PostgreSQL's protocol";

// Where libpq leaves it to the system, which waits for two hours before it asks an idle peer and
// for a quarter of an hour for an acknowledgement: a session whose way was forgotten meanwhile (by
// a NAT, by a host that went) is to be found out while its queries can still be asked elsewhere.
constexpr std::chrono::seconds keepalive_idle{30}, keepalive_interval{5};
constexpr int keepalive_count = 3;
constexpr std::chrono::milliseconds user_timeout{1'000};

io::TcpOptions tcp_options(const Conninfo& conninfo) {
  const Conninfo::Keepalives& keepalives = conninfo.keepalives;
  return {.keepalives = keepalives.on,
          .keepalive_idle = keepalives.idle.value_or(keepalive_idle),
          .keepalive_interval = keepalives.interval.value_or(keepalive_interval),
          .keepalive_count = keepalives.count.value_or(keepalive_count),
          .user_timeout = conninfo.tcp_user_timeout.value_or(user_timeout)};
}

// What is wrong with the user that the server at the other end of the UNIX socket `fd` runs as;
// empty: nothing.
std::string wrong_user(int fd, const std::string& wanted) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return "requirepeer: the server's user can't be found out";
  char room[4096];
  passwd entry{}, *found = nullptr;
  getpwuid_r(peer.uid, &entry, room, sizeof room, &found);
  const std::string user = found != nullptr ? found->pw_name : "number " + std::to_string(peer.uid);
  return user == wanted ? "" : "the server runs as " + user + ", and requirepeer wants " + wanted;
}

// A peer that is gone, or silent, has not refused anything.
bool is_answer(const io::Error& error) {
  return error.kind == io::Error::Kind::tls && error.code != io::tls_cut_off();
}

}  // namespace

std::unexpected<Connector::Refusal> Connector::refused(std::string why, bool ends_walk,
                                                       bool other_way) {
  return std::unexpected(Refusal{unavailable(std::move(why)), ends_walk, other_way});
}

io::Task<void> Connector::end(Session& session) {
  messages::encode_terminate(session.out());
  session.send();
  co_await session.taken();
  co_await session.close();
}

io::Task<Connector::Heard> Connector::open_at(Session& session, const messages::Host& host,
                                              io::Address address, Hosts::Wanted wanted,
                                              io::Until until) {
  const Attempt opened = co_await connect_to(session, host, address, until);
  if (!opened) {
    const Refusal& refusal = opened.error();
    co_return Heard{refusal.ends_walk ? Heard::What::a_refusal : Heard::What::nothing,
                    refusal.error.detail};
  }
  Heard heard{Heard::What::session};
  if (fit(wanted, session.server_state) == messages::Fit::unknown)
    heard = co_await ask(session, wanted, until);
  if (heard.what == Heard::What::session && fit(wanted, session.server_state) != messages::Fit::yes)
    heard = {Heard::What::misfit, describe_misfit(wanted, session.server_state)};
  if (heard.what != Heard::What::session) co_await end(session);
  co_return heard;
}

io::Task<Result<void>> Connector::reach(Session& session, Peer peer, io::Until until) {
  const Way way = peer.encrypted ? Way::tls : Way::plain;
  Attempt reached = co_await reach_by(way, session, std::move(peer), until);
  if (!reached) co_return std::unexpected(std::move(reached.error().error));
  co_return Result<void>();
}

io::Task<Connector::Attempt> Connector::connect_to(Session& session, const messages::Host& host,
                                                   io::Address address, io::Until until) {
  const std::span<const Way> ways = ways_to(address, options_.conninfo.sslmode);
  std::string failures;
  for (size_t i = 0;; ++i) {
    Attempt opened = co_await connect_by(ways[i], session, host, address, until);
    if (opened) co_return opened;
    Refusal& refusal = opened.error();
    failures.append(i == 0                  ? ""
                    : ways[i] == Way::plain ? "; without TLS: "
                                            : "; by TLS: ")
        .append(refusal.error.detail);
    if (refusal.other_way && i + 1 < ways.size()) continue;
    refusal.error.detail = std::move(failures);
    co_return opened;
  }
}

io::Task<Connector::Attempt> Connector::connect_by(Way way, Session& session,
                                                   const messages::Host& host, io::Address address,
                                                   io::Until until) {
  const Peer peer{address, host.name};
  Attempt reached = co_await reach_by(way, session, peer, until);
  if (!reached) co_return reached;
  Attempt started = co_await start(session, host, until);
  if (!started) {
    // The next way would be this one.
    if (way == Way::tls_if_offered && !session.peer()->encrypted) started.error().other_way = false;
    co_await end(session);
  }
  co_return started;
}

io::Task<Connector::Attempt> Connector::reach_by(Way way, Session& session, Peer peer,
                                                 io::Until until) {
  const io::TcpOptions tcp = tcp_options(options_.conninfo);
  const io::Result<int> fd = co_await io::connect(reactor_, peer.address, until, tcp);
  if (!fd) co_return refused(fd.error().message());
  peer.encrypted = false;
  session.begin(*fd, peer);
  Attempt reached;
  const std::string& user = options_.conninfo.requirepeer;
  if (!user.empty() && peer.address.family() == AF_UNIX)
    if (std::string wrong = wrong_user(*fd, user); !wrong.empty())
      reached = refused(std::move(wrong), true);
  if (reached && way != Way::plain) reached = co_await encrypt(way, session, until);
  if (!reached) {
    co_await session.taken();  // the alert that says why
    co_await session.close();
  }
  co_return reached;
}

io::Task<Connector::Attempt> Connector::encrypt(Way way, Session& session, io::Until until) {
  auto context = encryption_.context();
  if (!context) co_return refused(std::move(context.error()), true, true);
  if (options_.conninfo.ssl.negotiation == Conninfo::Ssl::Negotiation::postgres) {
    std::expected<bool, Refusal> offered = co_await ask_for_tls(session, until);
    if (!offered) co_return std::unexpected(std::move(offered.error()));
    if (!*offered && way == Way::tls_if_offered) co_return Attempt();
    if (!*offered) co_return refused("the server has no TLS, and sslmode asks for it", true);
  }
  const std::string host_name = session.peer()->host_name;
  const std::string server = host_name + " " + session.address();
  const std::string sni = encryption_.sni(host_name);
  const io::Result<void> shaken = co_await session.secure(std::move(*context), server, sni, until);
  if (!shaken) {
    const bool heard = shaken.error().kind == io::Error::Kind::tls;
    co_return refused(shaken.error().message(), is_answer(shaken.error()), heard);
  }
  auto checked = encryption_.check(*session.tls(), host_name);
  if (!checked) co_return refused(std::move(checked.error()), true, true);
  co_return Attempt();
}

// What comes before TLS may be anybody's: nothing of it is believed but that there is none, which
// the caller may not accept.
io::Task<std::expected<bool, Connector::Refusal>> Connector::ask_for_tls(Session& session,
                                                                         io::Until until) {
  messages::encode_ssl_request(session.out());
  session.send();
  const io::Result<std::string_view> answer = co_await session.receive(until);
  if (!answer) co_return refused(answer.error().message());
  switch (answer->front()) {
    case 'S':
      if (answer->size() == 1) break;
      co_return refused(
          "there are bytes behind the server's answer to the request for TLS that TLS does not "
          "protect: they may be somebody else's",
          true);
    case 'N':
      session.unread().consume(1);
      co_return false;
    case 'E':
      co_return refused(
          "the server answers the request for TLS by an error, which is not shown: it may be "
          "somebody else's");
    default:
      co_return refused(other_protocol);
  }
  session.unread().consume(1);
  co_return true;
}

io::Task<Connector::Attempt> Connector::start(Session& session, const messages::Host& host,
                                              io::Until until) {
  const io::Tls* const tls = session.tls();
  const std::string end_point = tls != nullptr ? io::end_point_of(tls->peer_certificate()) : "";
  const auto password = passwords_->of(static_cast<size_t>(&host - options_.conninfo.hosts.data()));
  messages::Channel channel{
      .password = password.text, .encrypted = tls != nullptr, .end_point = end_point};
  if (tls != nullptr) {
    channel.certificate_asked = tls->certificate_asked();
    channel.certificate_sent = tls->certificate_sent();
  }
  messages::Startup startup(options_.conninfo, openssl_crypto(), channel);
  session.server_state = {};
  startup.begin(session.out());
  session.send();
  for (;;) {
    messages::Message message;
    const Parse parse = messages::next_message(session.unread().view(), message);
    if (parse == Parse::invalid || message.size > longest_at_start)
      co_return refused(other_protocol);
    if (parse == Parse::partial) {
      const io::Result<std::string_view> bytes = co_await session.receive(until);
      if (!bytes) co_return refused(bytes.error().message(), is_answer(bytes.error()));
      continue;
    }
    messages::Startup::State state = startup.take(message, session.out());
    if (message.type == messages::BackendMessage::ParameterStatus)
      if (const auto status = messages::decode_parameter_status(message.body))
        session.server_state.take(*status);
    session.send_secret();
    session.unread().consume(message.size);
    if (state == messages::Startup::State::salting) {
      Result<messages::Digest> salted = co_await keys_.salted(startup.salting(), until);
      if (!salted) co_return refused(std::move(salted.error().detail));
      state = startup.salted(*salted, session.out());
      OPENSSL_cleanse(salted->data(), salted->size());
      session.send();
    }
    if (state == messages::Startup::State::failed) {
      const auto& error = startup.server_error();
      const bool starting_up = error && error->is_cannot_connect_now();
      std::string why = startup.failure();
      if (error && error->is_wrong_password())
        if (const std::string more = passwords_->refused(); !more.empty()) why += " (" + more + ")";
      co_return refused(std::move(why), !starting_up, startup.refused() && !starting_up);
    }
    if (state == messages::Startup::State::ready) {
      session.server_version = startup.server_version();
      session.cancel_key = startup.cancel_key();
      co_return Attempt();
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
        co_return Heard{Heard::What::nothing, other_protocol};
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
