// A session that ends with queries in flight: reads are asked once more on the next one, and get
// their own answers there; what may have changed something is not.
#include "tests/pg/pool_client.h"

namespace ringpost::pg {
namespace {

using io::Reactor, io::Task;

struct Fault {
  std::string name;
  std::string bytes;  // come after the first whole answer
  std::string why;
};

const std::string fatal =
    error("FATAL", "57P01", "terminating connection due to administrator command");
const std::string fatal_text = "FATAL 57P01: terminating connection due to administrator command";

std::vector<Fault> faults() {
  const auto violation = [](char type) {
    return "protocol violation: a message of type '"s + type + "' out of place";
  };
  return {
      {"no BindComplete", row(1) + selected + ready, violation('D')},
      {"BindComplete twice", bound + bound, violation('2')},
      {"no CommandComplete", bound + row(1) + ready, violation('Z')},
      {"CommandComplete twice", bound + selected + selected, violation('C')},
      {"an answer to nothing asked", prepared, violation('3')},
      {"left in a transaction", bound + row(1) + selected + "Z\0\0\0\5T"s, violation('Z')},
      {"left in a failed transaction", error("ERROR", "22012", "x") + "Z\0\0\0\5E"s,
       violation('Z')},
      {"two errors", error("ERROR", "22012", "x") + error("ERROR", "22012", "x"), violation('E')},
      {"CopyInResponse", bound + "G\0\0\0\7\0\0\0"s, violation('G')},
      {"PortalSuspended", bound + row(1) + "s\0\0\0\4"s, violation('s')},
      {"too large", bound + "D\x7f\xff\xff\xff"s, violation('D')},
      {"negative length", bound + "D\xff\xff\xff\xff"s, violation('D')},
      {"unknown type", bound + "!\0\0\0\4"s, violation('!')},
      {"HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", violation('H')},
      {"ends before an answer", fatal, fatal_text},
      {"ends amid rows", bound + row(1) + fatal, fatal_text},
      {"ends behind CommandComplete", bound + row(1) + selected + fatal, fatal_text},
      {"panics", bound + error("PANIC", "XX000", "could not write"),
       "PANIC XX000: could not write"},
  };
}

void all_get_their_own(const Script& first_session, const std::string& name,
                       const std::string& why) {
  run_on_reactor([&](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + first_session);
    server.play(log_in_and_prepare() + Script{expect(ask_find(2) + ask_find(4)),
                                              send(answer(12) + answer(14)), expect(ask_find(5)),
                                              send(answer(15))});
    Client client(reactor, server);
    co_await client.connected();
    Answer one, two, adding, four, five;
    client.ask(one, 1);
    client.ask(two, 2);
    client.ask(adding, 3, add_number);
    client.ask(four, 4);
    co_await client.answered(one, two, adding, four);
    EXPECT_TRUE(one.is({11})) << name << one;
    EXPECT_TRUE(two.is({12})) << name << two;
    EXPECT_TRUE(four.is({14})) << name << four;
    EXPECT_TRUE(adding.failed(Error::Kind::unavailable)) << name << adding;
    EXPECT_EQ(adding.error->message(),
              "no connection to PostgreSQL: the connection was lost after the query was sent");
    EXPECT_TRUE(adding.error->outage());
    co_await client.run(five, 5);
    EXPECT_TRUE(five.is({15})) << name << five;
    EXPECT_EQ(client.observer.said,
              (std::vector{"connected 16.3"s, "lost 3: " + why, "connected 16.3"s}))
        << name;
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(ConnectionLost, ByAViolationOrAFatalError) {
  for (const Fault& fault : faults())
    all_get_their_own({expect(ask_find(1) + ask_find(2) + ask_add(3) + ask_find(4)),
                       send(answer(11) + fault.bytes), expect(terminate), expect_end()},
                      fault.name, fault.why);
}

TEST(ConnectionLost, ByAViolationThatComesByteByByte) {
  for (const Fault& fault : faults())
    all_get_their_own({expect(ask_find(1) + ask_find(2) + ask_add(3) + ask_find(4)),
                       send(answer(11)), tests::send_while_open(fault.bytes, 1)},
                      fault.name, fault.why);
}

TEST(ConnectionLost, ByItsEndAtEveryByteOfAnAnswer) {
  const std::string second = bound + row(12) + selected + ready;
  for (size_t at = 0; at < second.size(); ++at)
    all_get_their_own({expect(ask_find(1) + ask_find(2) + ask_add(3) + ask_find(4)),
                       send(answer(11) + second.substr(0, at)), close_session()},
                      "closed behind byte " + std::to_string(at), "receive: closed by the peer");
}

TEST(ConnectionLost, ByAReset) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{reset_session()});
    server.play(log_in_and_prepare() +
                Script{expect(ask_find(1) + ask_find(2)), send(answer(11) + answer(12))});
    Client client(reactor, server);
    co_await client.connected();
    Answer one, two;
    client.ask(one, 1);
    client.ask(two, 2);
    co_await client.answered(one, two);
    EXPECT_TRUE(one.is({11})) << one;
    EXPECT_TRUE(two.is({12})) << two;
    EXPECT_EQ(client.observer.said[1], "lost 2: receive: Connection reset by peer");
    co_await client.stop();
    co_await server.stop();
  });
}

// What PostgreSQL does when it shuts down, or when the session is terminated.
TEST(ConnectionLost, WhileItIsIdle) {
  const std::pair<Script, std::string> endings[] = {
      {{send(fatal), close_session()}, "lost 0: " + fatal_text},
      {{send_in_pieces(fatal, 1), close_session()}, "lost 0: " + fatal_text},
      {{send(notice("bye") + fatal), close_session()}, "lost 0: " + fatal_text},
      {{close_session()}, "lost 0: receive: closed by the peer"},
      {{send(row(1)), close_session()},
       "lost 0: protocol violation: a message of type 'D' out of place"},
      {{send(ready), close_session()},
       "lost 0: protocol violation: a message of type 'Z' out of place"},
      {{send(error("ERROR", "57014", "canceling statement")), close_session()},
       "lost 0: protocol violation: a message of type 'E' out of place"},
  };
  for (const auto& [ending, said] : endings) {
    run_on_reactor([&](Reactor& reactor) -> Task<void> {
      ScriptedPostgres server(reactor);
      server.listen();
      Gate gate(reactor);
      server.play(log_in_and_prepare() + Script{pause(gate)} + ending);
      server.play(log_in_and_prepare() + Script{expect(ask_find(5)), send(answer(7))});
      Client client(reactor, server);
      co_await client.connected();
      gate.open();
      const bool reconnected =
          co_await client.until([&] { return client.observer.count("connected") == 2; });
      EXPECT_TRUE(reconnected) << said;
      EXPECT_EQ(client.observer.count(said), 1u) << said;
      Answer answer;
      co_await client.run(answer, 5);
      EXPECT_TRUE(answer.is({7})) << said << answer;
      co_await client.stop();
      co_await server.stop();
    });
  }
}

TEST(ConnectionLost, AReadIsAskedOnceMoreAndNotForever) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    for (int i = 0; i < 2; ++i)
      server.play(log_in_and_prepare() + Script{expect(ask_find(5)), close_session()});
    server.play(log_in_and_prepare() + Script{expect(ask_find(6)), send(answer(6))});
    Client client(reactor, server);
    Answer poison, next;
    co_await client.run(poison, 5);
    EXPECT_TRUE(poison.failed(Error::Kind::unavailable)) << poison;
    EXPECT_EQ(poison.error->message(),
              "no connection to PostgreSQL: the connection was lost after the query was sent");
    co_await client.run(next, 6);
    EXPECT_TRUE(next.is({6})) << next;
    co_await client.stop();
    co_await server.stop();
  });
}

// All of a pool's sessions may be ended at once: those that a read is asked on next are as dead.
TEST(ConnectionLost, ASessionThatWasEndedFromOutsideDoesNotCountAsATry) {
  const auto warning = [](std::string_view sqlstate, std::string_view text) {
    std::string notice = error("WARNING", sqlstate, text);
    notice[0] = 'N';
    return notice;
  };
  const std::string endings[] = {
      fatal,
      warning("57P01", "terminating connection due to immediate shutdown command"),
      warning("57P02", "terminating connection because of crash of another server process"),
      error("FATAL", "57P04", "terminating connection due to conflict with recovery"),
      error("FATAL", "40001", "terminating connection due to conflict with recovery"),
  };
  for (const std::string& ending : endings) {
    run_on_reactor([&ending](Reactor& reactor) -> Task<void> {
      ScriptedPostgres server(reactor);
      server.listen();
      for (int i = 0; i < 3; ++i)
        server.play(log_in_and_prepare() +
                    Script{expect(ask_find(5)), send(ending), close_session()});
      server.play(log_in_and_prepare() + Script{expect(ask_find(5)), close_session()});
      server.play(log_in_and_prepare() + Script{expect(ask_find(5)), send(answer(15))});
      Client client(reactor, server);
      Answer five;
      co_await client.run(five, 5);
      EXPECT_TRUE(five.is({15})) << printable(ending) << five;
      co_await client.stop();
      co_await server.stop();
    });
  }
}

TEST(ConnectionLost, WhatIsAskedAgainGoesBeforeWhatWaits) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{expect(ask_find(1) + ask_find(2)), close_session()});
    server.play(log_in_and_prepare() + Script{expect(ask_find(1) + ask_find(2)),
                                              send(answer(11) + answer(12)), expect(ask_find(3)),
                                              send(answer(13))});
    Client client(reactor, server, [](Options& options) { options.pipeline_depth = 2; });
    co_await client.connected();
    Answer one, two, three;
    client.ask(one, 1);
    client.ask(two, 2);
    client.ask(three, 3);
    EXPECT_EQ(client.pool->waiting(), 1u);
    co_await client.answered(one, two, three);
    EXPECT_TRUE(one.is({11}) && two.is({12}) && three.is({13})) << one << two << three;
    co_await client.stop();
    co_await server.stop();
  });
}

TEST(ConnectionLost, WhatNobodyWaitsForIsNotAskedAgain) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    Gate gate(reactor);
    server.play(log_in_and_prepare() +
                Script{expect(ask_find(1) + ask_find(2)), pause(gate), close_session()});
    server.play(log_in_and_prepare() + Script{expect(ask_find(2)), send(answer(12))});
    Client client(reactor, server);
    co_await client.connected();
    Answer given_up, two;
    client.ask(given_up, 1, find_number, 20ms);
    client.ask(two, 2);
    co_await client.answered(given_up);
    EXPECT_TRUE(given_up.failed(Error::Kind::timed_out)) << given_up;
    gate.open();
    co_await client.answered(two);
    EXPECT_TRUE(two.is({12})) << two;
    co_await client.stop();
    co_await server.stop();
  });
}

// The deadline is that of the query, not of an attempt.
TEST(ConnectionLost, WhatIsAskedAgainKeepsItsDeadline) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{expect(ask_find(5)), close_session()});
    server.play(log_in_and_prepare() + Script{never_answer()});
    Client client(reactor, server);
    Answer answer;
    co_await client.run(answer, 5, find_number, 800ms);
    EXPECT_TRUE(answer.failed(Error::Kind::timed_out)) << answer;
    EXPECT_GE(answer.took, 790ms);
    EXPECT_LT(answer.took, 3s);
    co_await client.stop();
    co_await server.stop();
  });
}

// It waits for a connection then, and is told what keeps it.
TEST(ConnectionLost, WhatIsAskedAgainInVainIsToldWhy) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{expect(ask_find(5)), close_session()});
    server.play({expect(startup_message),
                 send(error("FATAL", "57P03", "the database system is shutting down"))});
    Client client(reactor, server,
                  [](Options& options) { options.first_backoff = options.last_backoff = 60s; });
    Answer answer;
    co_await client.run(answer, 5, find_number, 800ms);
    EXPECT_TRUE(answer.failed(Error::Kind::unavailable)) << answer;
    EXPECT_EQ(answer.error->message(), "no connection to PostgreSQL: " + server.host().text() +
                                           ": FATAL 57P03: the database system is shutting down");
    co_await client.stop();
    co_await server.stop();
  });
}

}  // namespace
}  // namespace ringpost::pg
