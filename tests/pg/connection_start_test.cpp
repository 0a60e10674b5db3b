// What can go wrong from connect() to the last prepared statement, and that the next attempt, after
// a pause, does not suffer from it.
#include "tests/pg/pool_client.h"

namespace ringpost::pg {
namespace {

using io::Reactor, io::Task;

const std::string authentication_ok = "R\0\0\0\x08\0\0\0\0"s;
const std::string after_authentication = welcome.substr(authentication_ok.size());

// One session that goes wrong.
struct Fault {
  std::string name;
  Script script;
  std::string why;         // what is said, behind the server's address
  bool cancelled = false;  // what the server still works at
};

std::vector<Fault> faults() {
  const auto first = [](std::string bytes) {
    return Script{expect(startup_message), send(std::move(bytes))};
  };
  const auto preparing = [](std::string bytes) {
    return log_in() +
           Script{expect(prepare_find + sync + prepare_add + sync), send(std::move(bytes))};
  };
  std::vector<Fault> all{
      // Whether the send or the receive is told first is the kernel's affair.
      {"accepts and closes", {close_session()}, ""},
      {"reads, then closes",
       {expect(startup_message), close_session()},
       ": receive: closed by the peer"},
      {"resets", {reset_session()}, ": receive: Connection reset by peer"},
      {"never answers", {never_answer()}, ": receive: timed out"},
      {"never ends its answer",
       first(welcome.substr(0, welcome.size() - 1)) + Script{never_answer()},
       ": receive: timed out"},
      {"closes inside of a message", first(welcome.substr(0, 12)) + Script{close_session()},
       ": receive: closed by the peer"},
      {"garbage", first("\xde\xad\xbe\xef"), ": it does not speak PostgreSQL's protocol"},
      {"zeros", first(std::string(64, '\0')), ": it does not speak PostgreSQL's protocol"},
      {"HTTP", first("HTTP/1.1 400 Bad Request\r\n\r\n"),
       ": it does not speak PostgreSQL's protocol"},
      // By no more than its length: its rest never comes.
      {"longer than its type may be", first("R\0\1\0\1"s) + Script{never_answer()},
       ": it does not speak PostgreSQL's protocol"},
      {"an error longer than may be before a session",
       first("E\0\1\0\0SFATAL"s) + Script{never_answer()},
       ": it does not speak PostgreSQL's protocol"},
      {"negative length", first("R\xff\xff\xff\xff\0\0\0\0"s),
       ": it does not speak PostgreSQL's protocol"},
      {"no authentication", first(ready), ": ReadyForQuery has no place in authentication"},
      {"a row at once", first(row(1)), ": DataRow has no place in authentication"},
      {"a row in start-up", first(authentication_ok + row(1)),
       ": DataRow has no place in start-up"},
      {"inside of a transaction", first(authentication_ok + "Z\0\0\0\5T"s),
       ": the session begins inside a transaction"},
      {"GSSAPI", first("R\0\0\0\x08\0\0\0\7"s),
       ": the server asks for GSSAPI, which is not supported: give this role scram-sha-256 in "
       "pg_hba.conf, or cert, or trust"},
      {"another password",
       {expect(startup_message), tests::scram("pen")},
       ": FATAL 28P01: password authentication failed for user \"alice\""},
      {"a server that does not know the password",
       {expect(startup_message), tests::scram("pencil", true)},
       ": the server's SCRAM signature is wrong: it does not know this password"},
      {"closes while statements are prepared", preparing(prepared) + Script{close_session()},
       ": receive: closed by the peer"},
      {"never ends to prepare", preparing(prepared + ready) + Script{never_answer()},
       ": receive: timed out", true},
      {"no ParseComplete", preparing(prepared.substr(0, 5) + prepared.substr(10)),
       ": protocol violation: a message of type 't' out of place"},
      {"rows while statements are prepared", preparing(row(1)),
       ": protocol violation: a message of type 'D' out of place"},
      {"one answer too many", preparing(prepared + ready + prepared + ready + ready),
       ": protocol violation: a message of type 'Z' out of place"},
      {"ends while statements are prepared",
       preparing(prepared + error("FATAL", "57P01", "terminating connection")),
       ": FATAL 57P01: terminating connection"},
  };
  const std::pair<const char*, const char*> refusals[] = {
      {"3D000", "database \"shop\" does not exist"},
      {"28P01", "password authentication failed"},
      {"57P03", "the database system is starting up"},
      {"53300", "sorry, too many clients already"},
  };
  const std::string places[] = {"", authentication_ok,
                                authentication_ok + after_authentication.substr(0, 25),
                                welcome.substr(0, welcome.size() - ready.size())};
  for (const auto& [sqlstate, text] : refusals)
    for (const std::string& before : places)
      all.push_back({(before.empty() ? "" : "again ") + std::string(sqlstate) + " behind " +
                         printable(before),
                     first(before + error("FATAL", sqlstate, text)) + Script{close_session()},
                     ": FATAL "s + sqlstate + ": " + text});
  return all;
}

// The query that waits meanwhile is answered by the session that comes next.
TEST(ConnectionStart, AFaultAtEveryStepIsSaidAndPasses) {
  for (const Fault& fault : faults()) {
    run_on_reactor([&fault](Reactor& reactor) -> Task<void> {
      ScriptedPostgres server(reactor);
      server.listen();
      server.play(fault.script);
      for (int i = 0; i < (fault.cancelled ? 2 : 0); ++i)  // while it is open, and when it is not
        server.play({expect(cancel_request), close_session()});
      server.play(log_in_and_prepare() + Script{expect(ask_find(5)), send(answer(7))});
      Client client(reactor, server, [](Options& options) { options.connect_timeout = 300ms; });
      Answer answer;
      co_await client.run(answer, 5);
      EXPECT_TRUE(answer.is({7})) << fault.name << answer;
      const std::string failed = "connect_failed no connection to PostgreSQL: ";
      std::vector<std::string> expected{failed + server.host().text() + fault.why,
                                        "connected 16.3"s};
      if (fault.why.empty() && !client.observer.said.empty()) expected[0] = client.observer.said[0];
      EXPECT_EQ(client.observer.said, expected) << fault.name;
      co_await client.stop();
      co_await server.stop();
    });
  }
}

// While there is no connection, a query fails at its deadline and says why.
TEST(ConnectionStart, AQueryThatWaitsInVainIsToldWhy) {
  for (const Fault& fault : faults()) {
    if (fault.name.starts_with("again")) continue;
    run_on_reactor([&fault](Reactor& reactor) -> Task<void> {
      ScriptedPostgres server(reactor);
      server.listen();
      server.play(fault.script);
      for (int i = 0; i < (fault.cancelled ? 2 : 0); ++i)  // while it is open, and when it is not
        server.play({expect(cancel_request), close_session()});
      Client client(reactor, server, [](Options& options) {
        options.connect_timeout = 300ms;
        options.first_backoff = options.last_backoff = 60s;
      });
      co_await client.failed_to_connect();
      Answer answer;
      co_await client.run(answer, 5, find_number, 20ms);
      EXPECT_TRUE(answer.failed(Error::Kind::unavailable)) << fault.name << answer;
      EXPECT_TRUE(answer.error->outage());
      EXPECT_GE(answer.took, 19ms);
      const std::string message = answer.error->message();
      EXPECT_EQ(fault.why.empty() ? message.substr(0, message.rfind(": ", message.rfind(": ") - 1))
                                  : message,
                "no connection to PostgreSQL: " + server.host().text() + fault.why)
          << fault.name;
      co_await client.stop();
      co_await server.stop();
    });
  }
}

TEST(ConnectionStart, KnowsThePassword) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play({expect(startup_message), tests::scram("pencil"), send(welcome),
                 expect(prepare_find + sync + prepare_add + sync),
                 send(prepared + ready + prepared + ready), expect(ask_find(5)), send(answer(7))});
    Client client(reactor, server);
    Answer answer;
    co_await client.run(answer, 5);
    EXPECT_TRUE(answer.is({7})) << answer;
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(ConnectionStart, SaysThatAPasswordIsMissing) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play({expect(startup_message), send("R\0\0\0\x17\0\0\0\nSCRAM-SHA-256\0\0"s)});
    Client client(reactor, server, [](Options& options) {
      options.conninfo.password.clear();
      options.first_backoff = options.last_backoff = 60s;
    });
    co_await client.failed_to_connect();
    Answer answer;
    co_await client.run(answer, 5, find_number, 20ms);
    EXPECT_TRUE(answer.failed(Error::Kind::unavailable)) << answer;
    EXPECT_EQ(answer.error->message(),
              "no connection to PostgreSQL: " + server.host().text() +
                  ": the server asks for a password and none is set: put it into DATABASE_URL, or "
                  "set PGPASSWORD");
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(ConnectionStart, ARefusedConnectionIsTriedUntilTheServerIsThere) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.play(log_in_and_prepare() + Script{expect(ask_find(5)), send(answer(7))});
    Client client(reactor, server);
    co_await client.failed_to_connect();
    Answer early, late;
    co_await client.run(early, 5, find_number, 50ms);
    EXPECT_TRUE(early.failed(Error::Kind::unavailable)) << early;
    EXPECT_EQ(early.error->message(), "no connection to PostgreSQL: " + server.host().text() +
                                          ": connect: Connection refused");
    server.listen();
    co_await client.run(late, 5);
    EXPECT_TRUE(late.is({7})) << late;
    EXPECT_EQ(client.observer.count("connect_failed"), 1u) << "the same reason is said once";
    EXPECT_EQ(client.observer.said.back(), "connected 16.3");
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(ConnectionStart, TheNextHostIsTried) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres down(reactor), up(reactor);
    up.listen();
    up.play(log_in_and_prepare());
    Client client(reactor, down,
                  [&](Options& options) { options.conninfo.hosts.push_back(up.host()); });
    co_await client.connected();
    EXPECT_EQ(client.observer.said, std::vector{"connected 16.3"s});
    co_await client.stop();
    co_await up.stop();
  });
}

// Whatever keeps the first from serving that it may not keep the next from.
TEST(ConnectionStart, TheNextHostIsTriedBehindOneThatIsSilentOrStarting) {
  const std::string starting = error("FATAL", "57P03", "the database system is starting up");
  const Fault firsts[] = {
      {"silent", {never_answer()}, ""},
      {"closes", {close_session()}, ""},
      {"starts", {expect(startup_message), send(starting), close_session()}, ""},
      {"does not prepare",
       log_in() + Script{expect(prepare_find + sync + prepare_add + sync), never_answer()}, "",
       true}};
  for (const Fault& fault : firsts) {
    run_on_reactor([&](Reactor& reactor) -> Task<void> {
      ScriptedPostgres first(reactor), second(reactor);
      first.listen();
      first.play(fault.script);
      for (int i = 0; i < (fault.cancelled ? 2 : 0); ++i)  // while it is open, and when it is not
        first.play({expect(cancel_request), close_session()});
      second.listen();
      second.play(log_in_and_prepare());
      Client client(reactor, first, [&](Options& options) {
        options.conninfo.hosts.push_back(second.host());
        options.connect_timeout = 100ms;
      });
      co_await client.connected();
      EXPECT_EQ(client.observer.said, std::vector{"connected 16.3"s}) << fault.name;
      co_await client.stop();
      co_await first.stop();
      co_await second.stop();
    });
  }
}

// As libpq does: what a server answers is not hidden by another host's.
TEST(ConnectionStart, AnAnswerEndsTheWalk) {
  for (const char* sqlstate : {"28P01", "53300", "3D000"}) {
    run_on_reactor([&](Reactor& reactor) -> Task<void> {
      ScriptedPostgres first(reactor), second(reactor);
      first.listen();
      first.play({expect(startup_message), send(error("FATAL", sqlstate, "no")), close_session()});
      second.listen();
      Client client(reactor, first, [&](Options& options) {
        options.conninfo.hosts.push_back(second.host());
        options.first_backoff = options.last_backoff = 60s;
      });
      co_await client.failed_to_connect();
      EXPECT_EQ(client.observer.said,
                (std::vector{"connect_failed no connection to PostgreSQL: " + first.host().text() +
                             ": FATAL " + sqlstate + ": no"}));
      EXPECT_EQ(second.sessions(), 0u);
      co_await client.stop();
      co_await first.stop();
      co_await second.stop();
    });
  }
}

TEST(ConnectionStart, AllHostsThatFailedAreNamed) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres one(reactor), two(reactor);
    Client client(reactor, one,
                  [&](Options& options) { options.conninfo.hosts.push_back(two.host()); });
    co_await client.failed_to_connect();
    Answer answer;
    co_await client.run(answer, 5, find_number, 20ms);
    EXPECT_TRUE(answer.failed(Error::Kind::unavailable)) << answer;
    EXPECT_EQ(answer.error->message(), "no connection to PostgreSQL: " + one.host().text() +
                                           ": connect: Connection refused; " + two.host().text() +
                                           ": connect: Connection refused");
    co_await client.stop();
  });
}

// Half of each pause is certain; pauses that did not grow would be 120 ms in all.
TEST(ConnectionStart, AttemptsArePausedEverLonger) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    for (int i = 0; i < 6; ++i) server.play({close_session()});
    server.play(log_in_and_prepare() + Script{expect(ask_find(5)), send(answer(7))});
    Client client(reactor, server, [](Options& options) {
      options.first_backoff = 20ms;
      options.last_backoff = 160ms;
    });
    Answer answer;
    co_await client.run(answer, 5);
    EXPECT_TRUE(answer.is({7})) << answer;
    EXPECT_GE(answer.took, 10ms + 20ms + 40ms + 3 * 80ms);
    co_await client.stop();
    co_await server.stop();
  });
}

// Five connections are wanted, and for a while the server has room for two: the other three do not
// knock together. Half of each pause is certain.
TEST(ConnectionStart, WhileConnectingFailsOneTriesAtATime) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare());
    server.play(log_in_and_prepare());
    for (int i = 0; i < 3 + 8; ++i)
      server.play({expect(startup_message), send(error("FATAL", "53300", "too many clients")),
                   close_session()});
    for (int i = 0; i < 3; ++i) server.play(log_in_and_prepare());
    Client client(reactor, server, [](Options& options) {
      options.min_connections = options.max_connections = 5;
      options.first_backoff = options.last_backoff = 40ms;
    });
    const io::Time began = reactor.now();
    const bool all = co_await client.until([&] { return client.pool->open_connections() == 5; });
    EXPECT_TRUE(all);
    EXPECT_GE(reactor.now() - began, 8 * 20ms);
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(ConnectionStart, AnAbstractSocket) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    EXPECT_EQ(io::Address::unix_socket("@x/.s.PGSQL.5432")->text(), "@x/.s.PGSQL.5432");
    ScriptedPostgres server(reactor, ScriptedPostgres::Name::abstract);
    server.listen();
    server.play(log_in_and_prepare());
    Client client(reactor, server);
    co_await client.connected();
    EXPECT_EQ(client.observer.said, std::vector{"connected 16.3"s});
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(ConnectionStart, StopEndsItAtEveryStep) {
  const Script whole = log_in_and_prepare();
  for (size_t steps = 0; steps < whole.size(); ++steps) {
    run_on_reactor([&](Reactor& reactor) -> Task<void> {
      ScriptedPostgres server(reactor);
      server.listen();
      server.play(Script(whole.begin(), whole.begin() + static_cast<long>(steps)) +
                  Script{never_answer()});
      Client client(reactor, server);
      Answer answer;
      client.ask(answer, 5);
      co_await io::Sleep(reactor, 5ms, nullptr);
      co_await client.stop();
      EXPECT_TRUE(answer.failed(Error::Kind::cancelled)) << steps << answer;
      EXPECT_LT(answer.took, 2s);
      EXPECT_TRUE(client.observer.said.empty());
      co_await server.stop();
    });
  }
}

}  // namespace
}  // namespace ringpost::pg
