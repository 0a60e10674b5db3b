// What the tests of pool, connection and query share: three statements, the bytes that they make
// on the wire, and a Client that runs a pool against a ScriptedPostgres.
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "src/io/scope.h"
#include "src/pg/pool.h"
#include "tests/support/pg_messages.h"
#include "tests/support/reactor.h"
#include "tests/support/scripted_postgres.h"

namespace ringpost::pg {

using namespace std::chrono_literals;
using namespace std::string_literals;
using tests::expect, tests::send, tests::send_in_pieces, tests::pause, tests::open,
    tests::expect_end, tests::close_session, tests::reset_session, tests::never_answer, tests::Gate,
    tests::Script, tests::ScriptedPostgres, tests::run_on_reactor, tests::printable,
    tests::operator+;

struct Number {
  int32_t value;
  static constexpr auto columns = std::tuple{&Number::value};
};

inline constexpr auto find_number =
    proto::pg::read<Number(int32_t)>("find_number", "select n from numbers where n > $1");
inline constexpr auto add_number =
    proto::pg::write<Number(int32_t)>("add_number", "insert into numbers values ($1) returning n");

// What we send, written out.
inline const std::string startup_message =
    "\0\0\0\x37\0\3\0\0user\0alice\0database\0shop\0client_encoding\0UTF8\0\0"s;
inline const std::string prepare_find =
    "C\0\0\0\x22Sfind_number_fd17e41183ed3cda\0"
    "P\0\0\0\x4a"
    "find_number_fd17e41183ed3cda\0select n from numbers where n > $1\0\0\1\0\0\0\x17"
    "D\0\0\0\x22Sfind_number_fd17e41183ed3cda\0"s;
inline const std::string prepare_add =
    "C\0\0\0\x21Sadd_number_5a9729ad1396f9c1\0"
    "P\0\0\0\x52"
    "add_number_5a9729ad1396f9c1\0insert into numbers values ($1) returning n\0\0\1\0\0\0\x17"
    "D\0\0\0\x21Sadd_number_5a9729ad1396f9c1\0"s;
inline const std::string sync = "S\0\0\0\4"s;
inline const std::string terminate = "X\0\0\0\4"s;

// Bind and Execute with one byte's worth of parameter, without Sync.
inline std::string bind_find(char value) {
  return "B\0\0\0\x34\0find_number_fd17e41183ed3cda\0\0\1\0\1\0\1\0\0\0\4\0\0\0"s + value +
         "\0\1\0\1"
         "E\0\0\0\x09\0\0\0\0\0"s;
}
inline std::string bind_add(char value) {
  return "B\0\0\0\x33\0add_number_5a9729ad1396f9c1\0\0\1\0\1\0\1\0\0\0\4\0\0\0"s + value +
         "\0\1\0\1"
         "E\0\0\0\x09\0\0\0\0\0"s;
}
inline std::string ask_find(char value) {
  return bind_find(value) + sync;
}
inline std::string ask_add(char value) {
  return bind_add(value) + sync;
}

// What a PostgreSQL answers.
// Without a name, as behind a pooler that keeps none.
inline const std::string unnamed_find =
    "C\0\0\0\x06S\0"
    "P\0\0\0\x2e\0select n from numbers where n > $1\0\0\1\0\0\0\x17"
    "D\0\0\0\x06S\0"s;
inline std::string ask_unnamed(char value) {
  return "B\0\0\0\x18\0\0\0\1\0\1\0\1\0\0\0\4\0\0\0"s + value +
         "\0\1\0\1"
         "E\0\0\0\x09\0\0\0\0\0"s +
         sync;
}
inline const std::string ready = "Z\0\0\0\5I"s;
// CancelRequest: 80877102, the process and its key as BackendKeyData of `welcome` says them.
inline const std::string cancel_request = "\0\0\0\x10\x04\xd2\x16\x2e\0\0\x12\x67\xca\xfe\xba\xbe"s;
inline const std::string welcome =
    "R\0\0\0\x08\0\0\0\0"
    "S\0\0\0\x18server_version\00016.3\0"
    "K\0\0\0\x0c\0\0\x12\x67\xca\xfe\xba\xbe"s +
    ready;
inline const std::string prepared =
    "3\0\0\0\4"
    "1\0\0\0\4"
    "t\0\0\0\x0a\0\1\0\0\0\x17"
    "T\0\0\0\x1a\0\1n\0\0\0\0\0\0\0\0\0\0\x17\0\4\xff\xff\xff\xff\0\1"s;
inline std::string row(char value) {
  return "D\0\0\0\x0e\0\1\0\0\0\4\0\0\0"s + value;
}
inline const std::string bound = "2\0\0\0\4"s;
inline const std::string selected = "C\0\0\0\x0dSELECT 1\0"s;
inline std::string answer(char value) {
  return bound + row(value) + selected + ready;
}
// ErrorResponse.
inline std::string error(std::string_view severity, std::string_view sqlstate,
                         std::string_view text, std::string_view routine = "errfinish") {
  return tests::message('E', "S" + tests::cstring(severity) + "V" + tests::cstring(severity) + "C" +
                                 tests::cstring(sqlstate) + "M" + tests::cstring(text) + "R" +
                                 tests::cstring(routine) + '\0');
}

inline std::string notice(std::string_view text) {
  return tests::message('N', "SNOTICE\0VNOTICE\0C00000\0M"s + tests::cstring(text) + '\0');
}

// The start of a session, up to prepared statements.
inline Script log_in() {
  return {expect(startup_message), send(welcome)};
}
inline Script log_in_and_prepare() {
  return log_in() + Script{expect(prepare_find + sync + prepare_add + sync),
                           send(prepared + ready + prepared + ready)};
}

// The same, over a pipeline that holds no more than one.
inline Script log_in_and_prepare_singly() {
  return log_in() + Script{expect(prepare_find + sync), send(prepared + ready),
                           expect(prepare_add + sync), send(prepared + ready)};
}

// What an asked query has brought, by value.
struct Answer {
  std::vector<int32_t> values;
  bool malformed = false;
  std::optional<Error> error;
  bool done = false;
  std::chrono::milliseconds took{};

  bool is(std::initializer_list<int32_t> expected) const {
    return done && !error && !malformed && values == std::vector<int32_t>(expected);
  }
  bool failed(Error::Kind kind) const { return done && error && error->kind == kind; }
};
inline std::ostream& operator<<(std::ostream& out, const Answer& answer) {
  out << (answer.done ? " [" : " [not done ") << (answer.malformed ? "malformed " : "");
  if (answer.error)
    out << "error " << static_cast<int>(answer.error->kind) << ": " << answer.error->message();
  for (const int32_t value : answer.values) out << value << " ";
  return out << "]";
}

// Notes all that a pool says.
class Recorder final : public Observer {
 public:
  void connected(std::string_view, std::string_view version) override {
    said.push_back("connected " + std::string(version));
  }
  void connect_failed(std::string_view why) override {
    said.push_back("connect_failed " + std::string(why));
  }
  void connection_lost(std::string_view why, size_t queries) override {
    said.push_back("lost " + std::to_string(queries) + ": " + std::string(why));
  }
  void connection_retired(std::string_view, std::string_view why) override {
    said.push_back("retired: " + std::string(why));
  }
  void notice(std::string_view severity, std::string_view text) override {
    said.push_back("notice " + std::string(severity) + " " + std::string(text));
  }
  void statement_failed(std::string_view name, std::string_view why) override {
    said.push_back("statement_failed " + std::string(name) + ": " + std::string(why));
  }
  void statements_not_kept(std::string_view why) override {
    said.push_back("statements_not_kept: " + std::string(why));
  }
  size_t count(std::string_view beginning) const {
    size_t found = 0;
    for (const std::string& line : said) found += line.starts_with(beginning) ? 1 : 0;
    return found;
  }
  std::vector<std::string> said;
};

// Not the library's class of that name, which is linked into the same program.
inline namespace scripted {

// A pool of one connection, if not told otherwise, at a server. Awaits stop() before it ends.
class Client {
 public:
  using Ask = proto::pg::Statement<Number(int32_t)>;

  Client(io::Reactor& reactor, const ScriptedPostgres& server,
         const std::function<void(Options&)>& change = nullptr)
      : reactor_(reactor), buffers_(reactor, 64), scope_(reactor) {
    options.conninfo.hosts = {server.host()};
    options.conninfo.user = "alice";
    options.conninfo.dbname = "shop";
    options.conninfo.password = "pencil";
    options.first_backoff = options.last_backoff = 2ms;
    options.shared_syncs = false;  // what is quick depends on the machine
    if (change) change(options);
    spread.emplace(options.max_connections);
    pool.emplace(reactor, buffers_, options, *spread, statements, observer);
    scope_.spawn(pool->run());
  }

  // Asked now, in the order of calls.
  void ask(Answer& answer, int32_t parameter, const Ask& statement = find_number,
           std::chrono::milliseconds within = 3s, io::Cancellation* cancellation = nullptr) {
    scope_.spawn(run(answer, parameter, statement, within, cancellation));
  }
  io::Task<void> run(Answer& answer, int32_t parameter, const Ask& statement = find_number,
                     std::chrono::milliseconds within = 3s,
                     io::Cancellation* cancellation = nullptr) {
    const io::Time began = reactor_.now();  // as the deadline
    auto query = pool->query(statement, {reactor_.now() + within, cancellation}, parameter);
    auto rows = co_await query;
    if (rows) {
      while (const auto one = rows->next()) answer.values.push_back(one->value);
      answer.malformed = rows->malformed();
    } else {
      answer.error = std::move(rows.error());
    }
    answer.took = std::chrono::duration_cast<std::chrono::milliseconds>(io::Clock::now() - began);
    EXPECT_FALSE(answer.done) << "answered twice";
    answer.done = true;
  }

  // Asks 1, 2 and so on, each from inside the answer to the one before it, until `answers` has no
  // place left; it takes `first` and each `step`th.
  io::Task<void> ask_in_turn(std::deque<Answer>& answers, size_t first, size_t step) {
    for (size_t i = first; i < answers.size(); i += step)
      co_await run(answers[i], static_cast<int32_t>(i / step + 1));
  }

  // Turns until `reached()`, but no longer than `patience`.
  template <class Reached>
  io::Task<bool> until(Reached reached) {
    const io::Time end = io::Clock::now() + tests::patience;
    while (!reached() && io::Clock::now() < end) co_await io::Sleep(reactor_, 1ms, nullptr);
    co_return reached();
  }
  // For tests that ask several things in one turn.
  io::Task<void> connected() {
    const bool there = co_await until([this] { return observer.count("connected") != 0; });
    EXPECT_TRUE(there) << "no connection";
  }
  io::Task<void> failed_to_connect() {
    const bool failed = co_await until([this] { return observer.count("connect_failed") != 0; });
    EXPECT_TRUE(failed) << "no attempt failed";
  }
  template <class... Answers>
  io::Task<void> answered(const Answers&... answers) {
    return all_answered(std::vector<const Answer*>{&answers...});
  }
  io::Task<void> all_answered(std::vector<const Answer*> answers) {
    for (const Answer* each : answers) {
      const bool done = co_await until([each] { return each->done; });
      EXPECT_TRUE(done) << "a query is never answered";
    }
  }

  io::Task<void> stop() {
    pool->stop();
    co_await scope_.join();
  }

  Options options;
  Recorder observer;
  std::optional<Spread> spread;
  std::optional<Pool> pool;

 private:
  static constexpr std::array<const proto::pg::StatementDescription*, 2> statements{&find_number,
                                                                                    &add_number};
  io::Reactor& reactor_;
  tests::Buffers buffers_;
  io::Scope scope_;
};

}  // namespace scripted

}  // namespace ringpost::pg
