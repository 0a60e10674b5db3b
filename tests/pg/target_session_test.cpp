// target_session_attrs over scripted servers: which of two a session is had with, and what is said
// when none is what is asked for.
#include <array>

#include "tests/pg/server_roles.h"

namespace ringpost::pg {
namespace {

using io::Reactor, io::Task;

struct Case {
  Wanted wanted;
  std::array<const std::string*, 2> servers;
  int serves;                        // which of them
  std::array<int, 2> passed_over{};  // how often each was looked at before
};

TEST(TargetSession, TheServerThatIsAskedForServes) {
  using enum proto::pg::Conninfo::TargetSession;
  const std::string *p = &as_primary, *s = &as_standby, *r = &as_read_only;
  const Case cases[] = {
      {any, {s, p}, 0, {}},
      {primary, {p, s}, 0, {}},
      {primary, {s, p}, 1, {1, 0}},
      {primary, {s, r}, 1, {1, 0}},
      {read_write, {s, p}, 1, {1, 0}},
      {read_write, {r, p}, 1, {1, 0}},
      {read_only, {p, s}, 1, {1, 0}},
      {read_only, {p, r}, 1, {1, 0}},
      {standby, {p, s}, 1, {1, 0}},
      {standby, {r, s}, 1, {1, 0}},
      {prefer_standby, {p, s}, 1, {1, 0}},
      {prefer_standby, {s, p}, 0, {}},
      // Once around in vain, and then whoever comes first.
      {prefer_standby, {p, p}, 0, {1, 1}},
  };
  for (const Case& one : cases) {
    run_on_reactor([&one](Reactor& reactor) -> Task<void> {
      ScriptedPostgres first(reactor), second(reactor);
      const std::array servers{&first, &second};
      for (size_t i = 0; i < 2; ++i) {
        servers[i]->listen();
        for (int n = 0; n < one.passed_over[i]; ++n) servers[i]->play(looked_at(*one.servers[i]));
        if (one.serves == static_cast<int>(i))
          servers[i]->play(used(*one.servers[i]) + Script{expect(ask_find(5)), send(answer(7))});
      }
      Client client(reactor, first, at_hosts({&first, &second}, one.wanted));
      Answer answer;
      co_await client.run(answer, 5);
      const std::string name = std::to_string(static_cast<int>(one.wanted)) + " with " +
                               printable(*one.servers[0]) + " " + printable(*one.servers[1]);
      EXPECT_TRUE(answer.is({7})) << name << answer;
      EXPECT_EQ(client.observer.said, std::vector{"connected 16.3"s}) << name;
      co_await client.stop();
      co_await first.stop();
      co_await second.stop();
    });
  }
}

TEST(TargetSession, WhereNoneIsEachIsSaidToBeWhatItIs) {
  struct Misfit {
    Wanted wanted;
    const std::string* server;
    std::string why;
  };
  const Misfit cases[] = {
      {Wanted::primary, &as_standby, "is a standby (target_session_attrs=primary)"},
      {Wanted::standby, &as_primary, "is a primary (target_session_attrs=standby)"},
      {Wanted::read_write, &as_read_only, "is read-only (target_session_attrs=read-write)"},
      {Wanted::read_write, &as_standby, "is a standby (target_session_attrs=read-write)"},
      {Wanted::read_only, &as_primary, "is not read-only (target_session_attrs=read-only)"},
  };
  for (const Misfit& one : cases) {
    run_on_reactor([&one](Reactor& reactor) -> Task<void> {
      ScriptedPostgres first(reactor), down(reactor);
      first.listen();
      first.play(looked_at(*one.server));
      Client client(reactor, first, at_hosts({&first, &down}, one.wanted, [](Options& options) {
                      options.first_backoff = options.last_backoff = 60s;
                    }));
      co_await client.failed_to_connect();
      EXPECT_EQ(
          client.observer.said,
          std::vector{"connect_failed no connection to PostgreSQL: " + first.host().text() + ": " +
                      one.why + "; " + down.host().text() + ": connect: Connection refused"});
      co_await client.stop();
      co_await first.stop();
    });
  }
}

const std::string asks_for_recovery = "Q\0\0\0\x2aSELECT pg_catalog.pg_is_in_recovery()\0"s,
                  asks_for_read_only = "Q\0\0\0\x1fSHOW transaction_read_only\0"s;
std::string told(std::string_view value) {
  return "T\0\0\0\x1a\0\1x\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0"s +
         tests::message('D', tests::int16(1) + tests::value(value)) + "C\0\0\0\x0dSELECT 1\0"s +
         ready;
}

// Before PostgreSQL 14 it does not say so by itself.
TEST(TargetSession, AServerThatDoesNotSayIsAsked) {
  struct Asked {
    Wanted wanted;
    std::string question;
    const char *no, *yes;
  };
  const Asked cases[] = {
      {Wanted::primary, asks_for_recovery, "t", "f"},
      {Wanted::standby, asks_for_recovery, "f", "t"},
      {Wanted::prefer_standby, asks_for_recovery, "f", "t"},
      {Wanted::read_write, asks_for_read_only, "on", "off"},
      {Wanted::read_only, asks_for_read_only, "off", "on"},
  };
  for (const Asked& one : cases) {
    run_on_reactor([&one](Reactor& reactor) -> Task<void> {
      ScriptedPostgres first(reactor), second(reactor);
      first.listen();
      first.play(log_in() +
                 Script{expect(one.question), send(told(one.no)), expect(terminate), expect_end()});
      second.listen();
      second.play(log_in() + Script{expect(one.question), tests::send_in_pieces(told(one.yes), 1),
                                    expect(prepare_find + sync + prepare_add + sync),
                                    send(prepared + ready + prepared + ready), expect(ask_find(5)),
                                    send(answer(7))});
      Client client(reactor, first, at_hosts({&first, &second}, one.wanted));
      Answer answer;
      co_await client.run(answer, 5);
      EXPECT_TRUE(answer.is({7})) << one.question << one.no << answer;
      co_await client.stop();
      co_await first.stop();
      co_await second.stop();
    });
  }
}

// Whatever comes in place of an answer is that host's affair.
TEST(TargetSession, TheNextIsTriedBehindOneThatDoesNotAnswer) {
  const Script firsts[] = {
      {never_answer()},
      {expect(asks_for_recovery), close_session()},
      {expect(asks_for_recovery), send(error("ERROR", "42501", "permission denied") + ready),
       expect(terminate), expect_end()},
      {expect(asks_for_recovery), send("HTTP/1.1 400 Bad Request\r\n\r\n"), expect(terminate),
       expect_end()},
  };
  for (const Script& script : firsts) {
    run_on_reactor([&](Reactor& reactor) -> Task<void> {
      ScriptedPostgres first(reactor), second(reactor);
      first.listen();
      first.play(log_in() + script);
      second.listen();
      second.play(used(as_primary));
      Client client(reactor, first,
                    at_hosts({&first, &second}, Wanted::primary, [](Options& options) {
                      options.connect_timeout = 100ms;
                      options.hosts.first = options.hosts.last = 60s;
                    }));
      co_await client.connected();
      EXPECT_EQ(client.observer.said, std::vector{"connected 16.3"s}) << &script - firsts;
      co_await client.stop();
      co_await first.stop();
      co_await second.stop();
    });
  }
}

// One that refused is not waited for again while the other serves.
TEST(Walk, WhatIsKnownToBeDownIsTriedLast) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres first(reactor), second(reactor);
    second.listen();
    Gate ending(reactor);
    second.play(used(as_primary) + Script{pause(ending), close_session()});
    Client client(reactor, first, at_hosts({&first, &second}, Wanted::any, [](Options& options) {
                    options.hosts.first = options.hosts.last = 60s;
                  }));
    co_await client.connected();
    first.listen();  // it would take sessions now, and complain of each
    second.play(used(as_primary));
    ending.open();
    const bool again =
        co_await client.until([&] { return client.observer.count("connected") == 2; });
    EXPECT_TRUE(again);
    EXPECT_EQ(first.sessions(), 0u);
    co_await client.stop();
    co_await first.stop();
    co_await second.stop();
  });
}

// And is, when nothing else serves.
TEST(Walk, WhatIsDownIsTriedAllTheSame) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres first(reactor), second(reactor);
    second.listen();
    Gate ending(reactor);
    second.play(used(as_primary) + Script{pause(ending), close_session()});
    Client client(reactor, first, at_hosts({&first, &second}, Wanted::any, [](Options& options) {
                    options.hosts.first = options.hosts.last = 60s;
                  }));
    co_await client.connected();
    first.listen();
    first.play(used(as_primary));
    second.play({expect(startup_message),
                 send(error("FATAL", "57P03", "the database system is shutting down")),
                 close_session()});
    ending.open();
    const bool again =
        co_await client.until([&] { return client.observer.count("connected") == 2; });
    EXPECT_TRUE(again);
    EXPECT_EQ(first.sessions(), 1u);
    co_await client.stop();
    co_await first.stop();
    co_await second.stop();
  });
}

// In whichever order they were tried: the reason is the same, and said once.
TEST(Walk, AtRandomTheLogIsCalm) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres one(reactor), two(reactor), three(reactor);
    Client client(reactor, one, at_hosts({&one, &two, &three}, Wanted::any, [](Options& options) {
                    options.conninfo.load_balance_hosts = proto::pg::Conninfo::LoadBalance::random;
                  }));
    co_await client.failed_to_connect();
    co_await io::Sleep(reactor, 100ms, nullptr);  // some tens of attempts
    const std::string refused = ": connect: Connection refused";
    EXPECT_EQ(
        client.observer.said,
        std::vector{"connect_failed no connection to PostgreSQL: " + one.host().text() + refused +
                    "; " + two.host().text() + refused + "; " + three.host().text() + refused});
    co_await client.stop();
  });
}

TEST(Walk, AtRandomBothHaveSessions) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres first(reactor), second(reactor);
    first.listen();
    second.listen();
    for (int i = 0; i < 20; ++i) {
      first.play(used(as_primary));
      second.play(used(as_primary));
    }
    for (int i = 0; i < 20; ++i) {
      Client client(reactor, first, at_hosts({&first, &second}, Wanted::any, [](Options& options) {
                      options.conninfo.load_balance_hosts =
                          proto::pg::Conninfo::LoadBalance::random;
                    }));
      co_await client.connected();
      co_await client.stop();
    }
    EXPECT_GT(first.sessions(), 0u);
    EXPECT_GT(second.sessions(), 0u);
    first.play_no_more();
    second.play_no_more();
    co_await first.stop();
    co_await second.stop();
  });
}

}  // namespace
}  // namespace ringpost::pg
