// What becomes of PostgreSQL's answers: rows, no rows, errors, and a client that has gone before
// they came.
#include "src/app/users.h"

#include <gtest/gtest.h>

#include "tests/app/api.h"
#include "tests/support/pg_messages.h"
#include "tests/support/scripted_postgres.h"

namespace ringpost::app {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using io::Task;
using tests::cstring, tests::field, tests::int16, tests::int32, tests::int64, tests::message,
    tests::null_value, tests::value;
using tests::Script, tests::ScriptedPostgres, tests::send, tests::Step;

// PostgreSQL's type numbers (src/include/catalog/pg_type.dat).
constexpr uint32_t bool_ = 16, int8 = 20, int4 = 23, text = 25, bpchar = 1042, timestamptz = 1184,
                   uuid = 2950;

const std::string ready = message('Z', "I"), bound = message('2', "");

// Takes messages up to the next Sync; one of them has to hold `part`.
Step asked(std::string part) {
  return [part](tests::PgSession& session) -> Task<bool> {
    std::string all;
    for (;;) {
      const std::string next = co_await session.message(true);
      if (next.empty()) co_return false;
      if (next[0] == 'S') break;
      all += next;
    }
    EXPECT_NE(all.find(part), std::string::npos)
        << tests::printable(part) << " in " << tests::printable(all);
    co_return true;
  };
}
Step startup() {
  return [](tests::PgSession& session) -> Task<bool> {
    const std::string first = co_await session.message(false);
    co_return !first.empty();
  };
}

std::string prepared(std::string_view parameters, std::string_view columns, int count) {
  return message('3', "") + message('1', "") + message('t', parameters) +
         message('T', int16(count).append(columns)) + ready;
}

Script log_in() {
  const std::string user = field("id", uuid) + field("email", text) + field("full_name", text) +
                           field("age", int4) + field("country_code", bpchar) +
                           field("is_active", bool_) + field("created_at", timestamptz);
  return {startup(),
          send(message('R', int32(0)) + message('S', cstring("server_version") + cstring("18.0")) +
               message('K', int32(1) + int32(2)) + ready),
          asked("find_user"),
          send(prepared(int16(1) + int32(uuid), user, 7)),
          asked("list_users"),
          send(prepared(int16(2) + int32(int8) + int32(int8), user + field("total", int8), 8)),
          asked("select 1"),
          send(prepared(int16(0), field("?column?", int4), 1))};
}

const std::string id_bytes = "\x12\x3e\x45\x67\xe8\x9b\x12\xd3\xa4\x56\x42\x66\x14\x17\x40\x00"s;
constexpr std::string_view get_user = "GET /users/123E4567-e89b-12d3-a456-426614174000";

std::string user_values(std::string_view full_name) {
  return value(id_bytes) + value("user1@example.com") + value(full_name) + value(int32(25)) +
         value("US") + value("\1") + value(int64(823'161'600'000'000));
}
std::string user_row(std::string_view full_name) {
  return message('D', int16(7) + user_values(full_name));
}
std::string listed_row(std::string_view full_name, int64_t total) {
  return message('D', int16(8) + user_values(full_name) + value(int64(total)));
}
std::string answer(const std::string& rows) {
  return bound + rows + message('C', cstring("SELECT 1")) + ready;
}
std::string error(std::string_view severity, std::string_view sqlstate) {
  return message('E', "S" + cstring(severity) + "V" + cstring(severity) + "C" + cstring(sqlstate) +
                          "M" + cstring("no") + '\0');
}
std::string user_json(std::string_view full_name) {
  return R"({"id":"123e4567-e89b-12d3-a456-426614174000","email":"user1@example.com",)"
         R"("full_name":")" +
         std::string(full_name) +
         R"(","age":25,"country_code":"US","is_active":true,)"
         R"("created_at":"2026-01-31T08:00:00Z"})";
}

struct Exchanged {
  std::string_view line;
  std::string asked_with, answered, expected;
};

const std::string internal = json_answer("500 Internal Server Error", R"({"error":"internal"})");
const std::string unavailable =
    json_answer("503 Service Unavailable", R"({"error":"unavailable"})", "Retry-After: 1\r\n");

// Parameters of Bind: a bigint, by its length.
std::string page_of(int64_t limit, int64_t offset) {
  return int16(2) + value(int64(limit)) + value(int64(offset));
}

std::vector<Exchanged> exchanges() {
  const std::string nobody =
      null_value + null_value + null_value + null_value + null_value + null_value + null_value;
  return {
      {get_user, value(id_bytes), answer(user_row("User 1")),
       json_answer("200 OK", user_json("User 1"))},
      {get_user, value(id_bytes), answer(user_row("\"\\\n\x1f Zo\xc3\xab")),
       json_answer("200 OK", user_json("\\\"\\\\\\n\\u001f Zo\xc3\xab"))},
      {get_user, value(id_bytes), answer(message('D', int16(7) + nobody)),
       json_answer("200 OK",
                   R"({"id":null,"email":null,"full_name":null,"age":null,"country_code":null,)"
                   R"("is_active":null,"created_at":null})")},
      {get_user, value(id_bytes), answer(""),
       json_answer("404 Not Found", R"({"error":"not_found"})")},
      {"GET /users", page_of(50, 0), answer(listed_row("User 1", 2) + listed_row("User 2", 2)),
       json_answer("200 OK", R"({"items":[)" + user_json("User 1") + "," + user_json("User 2") +
                                 R"(],"limit":50,"offset":0,"total":2})")},
      {"GET /users?offset=10000&limit=7", page_of(7, 10000),
       answer(message('D', int16(8) + nobody + value(int64(10000)))),
       json_answer("200 OK", R"({"items":[],"limit":7,"offset":10000,"total":10000})")},
      {"GET /users?offset=9223372036854775807", page_of(50, 9223372036854775807),
       answer(message('D', int16(8) + nobody + value(int64(0)))),
       json_answer("200 OK", R"({"items":[],"limit":50,"offset":9223372036854775807,"total":0})")},
      {"GET /readyz", "", answer(message('D', int16(1) + value(int32(1)))),
       json_answer("200 OK", R"({"status":"ok"})")},
      // What is no outage is ours to repair; the connection lives on.
      {get_user, "", error("ERROR", "22012") + ready, internal},
      {"GET /users", "", error("ERROR", "42501") + ready, internal},
      {"GET /users", "", answer(message('D', int16(8) + user_values("x") + null_value)), internal},
      {get_user, "", answer(message('D', int16(6) + nobody.substr(4))), internal},
      // An outage.
      {get_user, "", error("ERROR", "57P03") + ready, unavailable},
      {"GET /users", "", error("ERROR", "53300") + ready, unavailable},
      // PostgreSQL ran out of the time that it gave the statement.
      {get_user, "", error("ERROR", "57014") + ready, unavailable},
      {"GET /users", "", error("ERROR", "55P03") + ready, unavailable},
      {"GET /readyz", "", error("ERROR", "22012") + ready, unavailable},
  };
}

TEST(Users, EachAnswerOfPostgresHasItsOwn) {
  tests::run_on_reactor([](io::Reactor& reactor) -> Task<void> {
    ScriptedPostgres postgres(reactor);
    postgres.listen();
    Script script = log_in();
    for (const Exchanged& each : exchanges()) {
      script.push_back(asked(each.asked_with));
      script.push_back(send(each.answered));
    }
    postgres.play(std::move(script));
    Api api(reactor, options_for(postgres.host()), 3000ms);
    tests::HttpClient client = api.client();
    for (const Exchanged& each : exchanges()) {
      client.send(request(each.line));
      EXPECT_EQ(co_await client.answer(), each.expected) << each.line;
    }
    co_await client.close();
    co_await api.stop();
    co_await postgres.stop();
  });
}

// PostgreSQL does not look again at what it stored, and JSON that is not UTF-8 is none. The client
// hears of it, and the connection lives on.
TEST(Users, TextThatIsNotUtf8Is500) {
  const std::string broken[] = {
      "\xff"s,                              // no such byte
      "a\xc3"s,                             // cut off at the end of its field
      "\xe4\xb8"s,                          // the same of three
      "\xf0\x9f\x98"s,                      // and of four
      "\x80g"s,                             // a continuation of nothing
      "\xc0\xaf"s,                          // overlong
      "\xe0\x80\xaf"s,                      // overlong
      "\xed\xa0\x80"s,                      // a surrogate
      "\xf4\x90\x80\x80"s,                  // past U+10FFFF
      std::string(300, 'x') + "\xe9t\xe9",  // Latin-1, far inside
  };
  const std::string whole =
      "Zo\xc3\xab \xe4\xb8\xad \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf \xed\x9f\xbf";
  tests::run_on_reactor([&](io::Reactor& reactor) -> Task<void> {
    ScriptedPostgres postgres(reactor);
    postgres.listen();
    Script script = log_in();
    for (const std::string& bad : broken)
      script =
          std::move(script) +
          Script{asked(value(id_bytes)), send(answer(user_row(bad))),
                 asked(page_of(50, 0)),  send(answer(listed_row(whole, 2) + listed_row(bad, 2))),
                 asked(value(id_bytes)), send(answer(user_row(whole)))};
    postgres.play(std::move(script));
    Api api(reactor, options_for(postgres.host()), 3000ms);
    tests::HttpClient client = api.client();
    for (const std::string& bad : broken) {
      client.send(request(get_user));
      EXPECT_EQ(co_await client.answer(), internal) << tests::printable(bad);
      client.send(request("GET /users"));
      EXPECT_EQ(co_await client.answer(), internal) << tests::printable(bad);
      client.send(request(get_user));
      EXPECT_EQ(co_await client.answer(), json_answer("200 OK", user_json(whole)));
    }
    co_await client.close();
    co_await api.stop();
    co_await postgres.stop();
  });
}

// What gave way to another is asked once more before the client hears of it.
TEST(Users, AConflictIsAskedOnceMoreAndThen503) {
  tests::run_on_reactor([](io::Reactor& reactor) -> Task<void> {
    for (const std::string_view sqlstate : {"40001", "40P01"}) {
      ScriptedPostgres postgres(reactor);
      postgres.listen();
      const std::string conflict = error("ERROR", sqlstate) + ready;
      postgres.play(log_in() + Script{asked(value(id_bytes)), send(conflict),
                                      asked(value(id_bytes)), send(answer(user_row("second"))),
                                      asked(value(id_bytes)), send(conflict),
                                      asked(value(id_bytes)), send(conflict)});
      Api api(reactor, options_for(postgres.host()), 3000ms);
      tests::HttpClient client = api.client();
      client.send(request(get_user));
      EXPECT_EQ(co_await client.answer(), json_answer("200 OK", user_json("second")));
      client.send(request(get_user));
      EXPECT_EQ(co_await client.answer(), unavailable);
      co_await client.close();
      co_await api.stop();
      co_await postgres.stop();
    }
  });
}

// Answers that come in one piece go to the requests that they belong to, on whichever connection.
TEST(Users, ClientsAreAnsweredFromOnePipeline) {
  tests::run_on_reactor([](io::Reactor& reactor) -> Task<void> {
    ScriptedPostgres postgres(reactor);
    postgres.listen();
    tests::Gate all_asked(reactor);
    postgres.play(log_in() +
                  Script{tests::pause(all_asked), asked(""), asked(""), asked(""),
                         send(answer(user_row("one")) + answer("") + answer(user_row("three")))});
    Api api(reactor, options_for(postgres.host()), 3000ms);
    tests::HttpClient one = api.client(), two = api.client();
    co_await one.send_now(request(get_user));
    co_await two.send_now(request(get_user));
    co_await one.send_now(request(get_user));
    co_await one.send_now(request("GET /healthz"));
    all_asked.open();
    EXPECT_EQ(co_await one.answer(), json_answer("200 OK", user_json("one")));
    EXPECT_EQ(co_await one.answer(), json_answer("200 OK", user_json("three")));
    EXPECT_EQ(co_await one.answer(), json_answer("200 OK", R"({"status":"ok"})"));
    EXPECT_EQ(co_await two.answer(), json_answer("404 Not Found", R"({"error":"not_found"})"));
    co_await one.close();
    co_await two.close();
    co_await api.stop();
    co_await postgres.stop();
  });
}

TEST(Users, AClientThatHasGoneLeavesTheConnectionInOrder) {
  tests::run_on_reactor([](io::Reactor& reactor) -> Task<void> {
    ScriptedPostgres postgres(reactor);
    postgres.listen();
    tests::Gate gone(reactor);
    postgres.play(log_in() + Script{asked(value(id_bytes)), tests::pause(gone),
                                    send(answer(user_row("of nobody"))), asked(value(id_bytes)),
                                    send(answer(user_row("asked next")))});
    Api api(reactor, options_for(postgres.host()), 3000ms);
    tests::HttpClient client = api.client(), next = api.client();
    client.send(request(get_user));
    co_await io::Sleep(reactor, 10ms, nullptr);
    const linger reset{.l_onoff = 1, .l_linger = 0};
    setsockopt(client.fd(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    co_await client.close();
    co_await io::Sleep(reactor, 10ms, nullptr);
    EXPECT_EQ(api.connections(), 1u) << "the query was given up with its session";
    next.send(request(get_user));
    gone.open();
    EXPECT_EQ(co_await next.answer(), json_answer("200 OK", user_json("asked next")));
    co_await next.close();
    co_await api.stop();
    co_await postgres.stop();
  });
}

TEST(Users, AnAnswerThatDoesNotComeIs503ByItsDeadline) {
  tests::run_on_reactor([](io::Reactor& reactor) -> Task<void> {
    ScriptedPostgres postgres(reactor);
    postgres.listen();
    postgres.play(log_in() + Script{tests::never_answer()});
    Api api(reactor, options_for(postgres.host()), 50ms);
    tests::HttpClient client = api.client();
    const io::Time begin = reactor.now();
    client.send(request(get_user) + request("GET /users") + request("GET /readyz"));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(co_await client.answer(), unavailable);
    EXPECT_GE(reactor.now() - begin, 49ms);
    EXPECT_LT(reactor.now() - begin, 1s);
    co_await client.close();
    co_await api.stop();
    co_await postgres.stop();
  });
}

}  // namespace
}  // namespace ringpost::app
