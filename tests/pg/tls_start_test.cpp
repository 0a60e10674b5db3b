// From a connected socket to a session by TLS, or without, as sslmode says; against a scripted
// server that has OpenSSL's side of it.
#include "tests/pg/pool_client.h"
#include "tests/support/certificates.h"
#include "tests/support/tls_server.h"

namespace ringpost::pg {
namespace {

using io::Reactor, io::Task;
using proto::pg::Conninfo;
using SslMode = Conninfo::SslMode;
using tests::Certificate, tests::Folder, tests::secure, tests::secure_in_vain, tests::TlsServer;

// SSLRequest: 80877103.
const std::string ssl_request = "\0\0\0\x08\x04\xd2\x16\x2f"s;
const std::string no_entry = error("FATAL", "28000", "no pg_hba.conf entry");

struct World {
  Folder folder;
  Certificate root{{.common_name = "root", .authority = true}};
  Certificate right{{.common_name = "db", .alternatives = "DNS:db.example"}, &root};
  Certificate other{{.common_name = "other.example"}, &root};
  std::string root_file = folder.write("root.crt", root.pem());
  TlsServer server{right}, wrong_name{other}, direct{right, {.alpn = "postgresql"}};
};

Script by_tls(const TlsServer& server) {
  return {expect(ssl_request), send("S"), secure(server)};
}

// What a client says that goes to a server with these scripts, one for each session.
Task<std::vector<std::string>> said(Reactor& reactor, const std::vector<Script>& scripts,
                                    const std::function<void(Conninfo&)>& change) {
  ScriptedPostgres server(reactor, ScriptedPostgres::Name::tcp);
  server.listen();
  for (const Script& script : scripts) server.play(script);
  Client client(reactor, server, [&](Options& options) {
    change(options.conninfo);
    options.first_backoff = options.last_backoff = 60s;
  });
  const bool over = co_await client.until([&] { return !client.observer.said.empty(); });
  EXPECT_TRUE(over);
  std::vector<std::string> all = client.observer.said;
  co_await client.stop();
  co_await server.stop();
  const std::string address = "127.0.0.1:" + std::to_string(server.host().port);
  for (std::string& one : all)
    if (const size_t at = one.find(address); at != std::string::npos)
      one.replace(at, address.size(), "ADDRESS");
  co_return all;
}

struct Case {
  std::string name;
  std::vector<Script> scripts;
  std::function<void(Conninfo&)> change;
  std::string expected;  // behind "no connection to PostgreSQL: ADDRESS: "; empty: connected
};

void check(const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    run_on_reactor([&one](Reactor& reactor) -> Task<void> {
      const std::vector<std::string> all = co_await said(reactor, one.scripts, one.change);
      const std::string failed = "connect_failed no connection to PostgreSQL: ADDRESS: ";
      EXPECT_EQ(all, std::vector{one.expected.empty() ? "connected 16.3"s : failed + one.expected})
          << one.name;
    });
  }
}

std::function<void(Conninfo&)> with(SslMode mode, const std::string& root_file = {}) {
  return [mode, root_file](Conninfo& conninfo) {
    conninfo.sslmode = mode;
    conninfo.ssl.rootcert = root_file;
  };
}

TEST(TlsStart, EachSslmodeWithAServerThatHasTlsAndOneThatHasNot) {
  const World world;
  const Script plain = log_in_and_prepare(), tls = by_tls(world.server) + log_in_and_prepare();
  const Script has_not{expect(ssl_request), send("N")};
  const std::string none = "the server has no TLS, and sslmode asks for it";
  std::vector<Case> cases{
      {"disable", {plain}, with(SslMode::disable), ""},
      {"allow", {plain}, with(SslMode::allow), ""},
      {"prefer", {tls}, with(SslMode::prefer), ""},
      {"prefer, none", {has_not + plain}, with(SslMode::prefer), ""},
  };
  for (const SslMode mode : {SslMode::require, SslMode::verify_ca, SslMode::verify_full}) {
    cases.push_back({"has it", {tls}, with(mode, world.root_file), ""});
    cases.push_back({"has not", {has_not}, with(mode, world.root_file), none});
  }
  check(cases);
}

// As libpq does it: what the server refuses one way it may take the other, and so with a handshake
// that fails.
TEST(TlsStart, TheOtherWayIsTried) {
  const World world;
  const Script plain = log_in_and_prepare(), tls = by_tls(world.server) + log_in_and_prepare();
  const Script refuses{expect(startup_message), send(no_entry), close_session()};
  const Script starting{expect(startup_message),
                        send(error("FATAL", "57P03", "the database system is starting up")),
                        close_session()};
  const Script late{expect(startup_message), send("R\0\0\0\x08\0\0\0\0"s + no_entry),
                    close_session()};
  const std::string refused = "FATAL 28000: no pg_hba.conf entry";
  const Certificate stranger({.common_name = "db"});
  const TlsServer untrusted(stranger);
  const Script fails{expect(ssl_request), send("S"), secure_in_vain(untrusted)};
  check({
      {"allow: by TLS then", {refuses, tls}, with(SslMode::allow), ""},
      {"prefer: without TLS then",
       {by_tls(world.server) + refuses, plain},
       with(SslMode::prefer),
       ""},
      {"allow: neither",
       {refuses, by_tls(world.server) + refuses},
       with(SslMode::allow),
       refused + "; by TLS: " + refused},
      {"prefer: neither",
       {by_tls(world.server) + refuses, refuses},
       with(SslMode::prefer),
       refused + "; without TLS: " + refused},
      {"prefer, none: there is no other way",
       {Script{expect(ssl_request), send("N")} + refuses},
       with(SslMode::prefer),
       refused},
      {"allow, and there is no TLS",
       {refuses, {expect(ssl_request), send("N")}},
       with(SslMode::allow),
       refused + "; by TLS: the server has no TLS, and sslmode asks for it"},
      {"require", {by_tls(world.server) + refuses}, with(SslMode::require), refused},
      {"it let us in before", {late}, with(SslMode::allow), refused},
      {"starting up",
       {starting},
       with(SslMode::allow),
       "FATAL 57P03: the database system is starting up"},
      {"prefer: a handshake that fails",
       {fails, plain},
       with(SslMode::prefer, world.root_file),
       ""},
      {"require: a handshake that fails",
       {fails},
       with(SslMode::require, world.root_file),
       "TLS handshake: the peer's certificate is not trusted: self-signed certificate"},
  });
}

TEST(TlsStart, WhatIsAnsweredToTheRequestIsOneByte) {
  const World world;
  const std::string injected =
      "there are bytes behind the server's answer to the request for TLS that TLS does not "
      "protect: they may be somebody else's";
  const std::string not_postgres = "it does not speak PostgreSQL's protocol";
  const auto answered = [](std::string bytes) {
    return std::vector<Script>{{expect(ssl_request), send(std::move(bytes)), expect_end()}};
  };
  for (const SslMode mode : {SslMode::prefer, SslMode::require, SslMode::verify_full}) {
    const auto change = with(mode, world.root_file);
    check({
        {"a message behind", answered("S" + welcome), change, injected},
        {"a byte behind", answered("SS"), change, injected},
        {"an error", answered(error("FATAL", "XX000", "believe me")), change,
         "the server answers the request for TLS by an error, which is not shown: it may be "
         "somebody else's"},
        {"another", answered("Y"), change, not_postgres},
        {"HTTP", answered("HTTP/1.1 400 Bad Request\r\n\r\n"), change, not_postgres},
        {"none", {{expect(ssl_request), close_session()}}, change, "receive: closed by the peer"},
    });
  }
}

TEST(TlsStart, DirectlyWithoutARequest) {
  const World world;
  const auto change = [&](Conninfo& conninfo) {
    conninfo.sslmode = SslMode::verify_full;
    conninfo.ssl.rootcert = world.root_file;
    conninfo.ssl.negotiation = Conninfo::Ssl::Negotiation::direct;
  };
  check({{"17", {Script{secure(world.direct)} + log_in_and_prepare()}, change, ""},
         {"older, behind something that speaks TLS",
          {{secure_in_vain(world.server)}},
          change,
          "the server does not say that it speaks PostgreSQL's protocol (ALPN), which "
          "sslnegotiation=direct needs: PostgreSQL 17 or newer"}});
}

TEST(TlsStart, TheCertificateIsThatOfTheHost) {
  const World world;
  const Script wrong{expect(ssl_request), send("S"), secure_in_vain(world.wrong_name)};
  const auto nameless = [&](Conninfo& conninfo) {
    with(SslMode::verify_full, world.root_file)(conninfo);
    conninfo.hosts[0].name.clear();
  };
  const Script unnamed{expect(ssl_request), send("S"), secure_in_vain(world.server)};
  check({{"another's",
          {wrong},
          with(SslMode::verify_full, world.root_file),
          "the server's certificate is that of other.example, and not of db.example"},
         {"which verify-ca does not look at",
          {by_tls(world.wrong_name) + log_in_and_prepare()},
          with(SslMode::verify_ca, world.root_file),
          ""},
         {"no name",
          {unnamed},
          nameless,
          "sslmode=verify-full needs the name of the host: set host beside hostaddr"}});
}

TEST(TlsStart, AFileThatCantBeUsedIsNamed) {
  const World world;
  const std::string empty = world.folder.write("empty", "");
  run_on_reactor([&](Reactor& reactor) -> Task<void> {
    const auto required = with(SslMode::require, empty), preferred = with(SslMode::prefer, empty);
    std::vector<Script> unheard{{expect_end()}}, then_plain{{expect_end()}, log_in_and_prepare()};
    const std::vector<std::string> all = co_await said(reactor, unheard, required);
    EXPECT_TRUE(all[0].contains("root certificate file '" + empty + "' can't be used")) << all[0];
    const std::vector<std::string> plain = co_await said(reactor, then_plain, preferred);
    EXPECT_EQ(plain, std::vector{"connected 16.3"s});
  });
}

// Query by query and in whatever pieces; the last session is cut off.
TEST(TlsStart, QueriesAreAnsweredByTls) {
  const World world;
  run_on_reactor([&](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor, ScriptedPostgres::Name::tcp);
    server.listen();
    server.play(by_tls(world.server) +
                Script{expect(startup_message), tests::scram("pencil"), send_in_pieces(welcome, 1),
                       expect(prepare_find + sync + prepare_add + sync),
                       send_in_pieces(prepared + ready + prepared + ready, 3),
                       expect(ask_find(5) + ask_find(6)), send_in_pieces(answer(7) + answer(8), 2),
                       expect(ask_find(9)), close_session()});
    server.play(by_tls(world.server) + log_in_and_prepare() +
                Script{expect(ask_find(9)), send(answer(10))});
    Client client(reactor, server, [&](Options& options) {
      options.conninfo.sslmode = SslMode::verify_full;
      options.conninfo.ssl.rootcert = world.root_file;
    });
    co_await client.connected();
    Answer five, six, nine;
    client.ask(five, 5);
    client.ask(six, 6);
    co_await client.answered(five, six);
    EXPECT_TRUE(five.is({7}) && six.is({8})) << five << six;
    co_await client.run(nine, 9);
    EXPECT_TRUE(nine.is({10})) << nine;
    EXPECT_EQ(client.observer.said,
              (std::vector{"connected 16.3"s,
                           "lost 1: TLS: the connection was cut off: it ended without "
                           "close_notify"s,
                           "connected 16.3"s}));
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(TlsStart, ACancelGoesByTlsToo) {
  const World world;
  run_on_reactor([&](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor, ScriptedPostgres::Name::tcp);
    Gate cancelled(reactor);
    server.listen();
    const tests::Step opens = [&cancelled](tests::PgSession&) -> Task<bool> {
      cancelled.open();
      co_return true;
    };
    server.play(by_tls(world.server) + log_in_and_prepare() +
                Script{expect(ask_find(5)), pause(cancelled),
                       send(error("ERROR", "57014", "canceling statement") + ready)});
    server.play(by_tls(world.server) + Script{expect(cancel_request), opens, close_session()});
    Client client(reactor, server, [&](Options& options) {
      options.conninfo.sslmode = SslMode::require;
      options.give_up_timeout = 20ms;
    });
    co_await client.connected();
    Answer five;
    co_await client.run(five, 5, find_number, 20ms);
    EXPECT_TRUE(five.failed(Error::Kind::timed_out)) << five;
    auto passed = cancelled.passed({reactor.now() + tests::patience});
    const bool came = co_await passed;
    EXPECT_TRUE(came);
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(TlsStart, EachHostIsToldItsOwnPassword) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres first(reactor), second(reactor);
    first.listen();
    first.play({expect(startup_message), tests::scram("one"),
                send(error("FATAL", "57P03", "the database system is starting up")),
                close_session()});
    second.listen();
    second.play({expect(startup_message), tests::scram("two"), send(welcome),
                 expect(prepare_find + sync + prepare_add + sync),
                 send(prepared + ready + prepared + ready)});
    Client client(reactor, first, [&](Options& options) {
      options.conninfo.password.clear();
      options.conninfo.hosts.push_back(second.host());
      options.conninfo.hosts[0].password = "one";
      options.conninfo.hosts[1].password = "two";
    });
    co_await client.connected();
    EXPECT_EQ(client.observer.said, std::vector{"connected 16.3"s});
    co_await client.stop();
    co_await first.stop();
    co_await second.stop();
  });
}

TEST(TlsStart, TheServersUserIsLookedAt) {
  for (const std::string& wanted : {"root"s, "nobody in particular"s}) {
    run_on_reactor([&](Reactor& reactor) -> Task<void> {
      const bool right = wanted == "root" && geteuid() == 0;
      ScriptedPostgres server(reactor);
      server.listen();
      server.play(right ? log_in_and_prepare() : Script{expect_end()});
      Client client(reactor, server, [&](Options& options) {
        options.conninfo.requirepeer = wanted;
        options.first_backoff = options.last_backoff = 60s;
      });
      const bool over = co_await client.until([&] { return !client.observer.said.empty(); });
      EXPECT_TRUE(over);
      EXPECT_EQ(client.observer.said[0].starts_with("connected"), right);
      if (!right) {
        EXPECT_TRUE(client.observer.said[0].ends_with(", and requirepeer wants " + wanted))
            << client.observer.said[0];
      }
      co_await client.stop();
      co_await server.stop();
    });
  }
}

}  // namespace
}  // namespace ringpost::pg
