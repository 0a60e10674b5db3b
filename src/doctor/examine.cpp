// examine_database(): one session, and what is asked of it.
#include <charconv>
#include <functional>

#include "proto/pg/dynamic_rows.h"
#include "proto/pg/dynamic_statement.h"
#include "proto/pg/error.h"
#include "proto/pg/pipeline.h"
#include "src/doctor/database.h"
#include "src/io/buffer_group.h"
#include "src/io/reactor.h"
#include "src/pg/connect.h"
#include "src/pg/prepared.h"

namespace ringpost::doctor {

namespace {

using proto::pg::Access;
using proto::pg::DynamicRows;
using proto::pg::DynamicStatement;
using proto::pg::Pipeline;

constexpr unsigned buffer_count = 16, buffer_bytes = 32 * 1024;
constexpr size_t answer_bytes = 1 << 20;
// As few as tell a slow way from a moment's hiccup.
constexpr int round_trips = 11;

constexpr std::string_view facts_sql =
    "select current_user, current_database(), pg_encoding_to_char(d.encoding),"
    " pg_backend_pid(), pg_is_in_recovery(), current_setting('server_version_num'),"
    " current_setting('max_connections'),"
    " case when r.rolsuper then 0 else current_setting('superuser_reserved_connections')::int"
    " + coalesce(current_setting('reserved_connections', true), '0')::int end,"
    " r.rolconnlimit, d.datconnlimit,"
    " (select count(*) from pg_stat_activity where backend_type = 'client backend'"
    " and application_name <> current_setting('application_name'))"
    " from pg_roles r, pg_database d"
    " where r.rolname = current_user and d.datname = current_database()";
// From PostgreSQL 16 on: "scram-sha-256:app".
constexpr std::string_view login_sql = "select system_user";
constexpr int64_t has_system_user = 160'000;

int64_t number(std::string_view text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// One session, asked one thing after the other.
class Interview {
 public:
  Interview(const pg::Options& options, Statements statements)
      : options_(options),
        statements_(statements),
        buffers_(reactor_.ring(), 0, buffer_count, buffer_bytes),
        pipeline_(4, answer_bytes) {
    reactor_.add(buffers_);
  }

  DatabaseFacts run(std::chrono::milliseconds limit) {
    until_ = {reactor_.now() + limit};
    reactor_.run(hold());
    reactor_.remove(buffers_);
    return std::move(facts_);
  }

 private:
  using Take = std::function<void(const Pipeline::Answer&)>;

  io::Task<void> hold() {
    pg::Connector connector(reactor_, buffers_, options_);
    pg::Connector::Walk walk(connector, until_);
    pg::Session session(reactor_, buffers_);
    const pg::Result<size_t> host = co_await walk.next(session);
    if (!host) {
      facts_.failure = host.error().message();
      co_return;
    }
    session_ = &session;
    facts_.connected = true;
    facts_.address = session.address();
    facts_.server_version = session.server_version;
    facts_.encrypted = session.tls() != nullptr;
    facts_.session_process = session.cancel_key.process_id;
    facts_.here = is_here(options_.conninfo);
    if (co_await ask_facts()) co_await ask_statements();
    co_await session.taken();
    co_await session.close();
  }

  io::Task<bool> ask_facts() {
    const DynamicStatement facts(Access::read, std::string(facts_sql));
    const bool told = co_await ask(facts, [this](const DynamicRows& row) { note(row); });
    if (!told) co_return false;
    if (facts_.version >= has_system_user) {
      const DynamicStatement login(Access::read, std::string(login_sql));
      const bool known = co_await ask(login, [this](const DynamicRows& row) {
        const std::string_view user = row.bytes(0);
        facts_.authentication = user.substr(0, user.find(':'));
      });
      if (!known) co_return false;
    }
    const DynamicStatement nothing(Access::read, "select 1");
    facts_.round_trip = std::chrono::microseconds::max();
    for (int i = 0; i < round_trips; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      const bool answered = co_await ask(nothing, [](const DynamicRows&) {});
      if (!answered) co_return false;
      const auto took = std::chrono::duration_cast<std::chrono::microseconds>(
          std::chrono::steady_clock::now() - begin);
      facts_.round_trip = std::min(facts_.round_trip, took);
    }
    co_return true;
  }

  void note(const DynamicRows& row) {
    facts_.user = row.bytes(0);
    facts_.dbname = row.bytes(1);
    facts_.encoding = row.bytes(2);
    facts_.server_process = static_cast<int>(number(row.bytes(3)));
    facts_.standby = row.bytes(4) == "t";
    facts_.version = number(row.bytes(5));
    facts_.max_connections = number(row.bytes(6));
    facts_.reserved = number(row.bytes(7));
    facts_.role_limit = number(row.bytes(8));
    facts_.database_limit = number(row.bytes(9));
    facts_.others = number(row.bytes(10));
  }

  // Each is prepared as the unnamed one, which the next takes the place of; none is executed.
  io::Task<void> ask_statements() {
    for (const proto::pg::StatementDescription* statement : statements_) {
      pg::Prepared::encode(session_->out(), *statement, "");
      const bool answered = co_await exchange(
          Pipeline::Expect::prepare, [this, statement](const Pipeline::Answer& answer) {
            if (auto checked = pg::Prepared::check(*statement, answer); !checked)
              facts_.broken.emplace_back(statement->name, std::move(checked.error()));
          });
      if (!answered) co_return;
      ++facts_.statements;
    }
  }

  // The one row of a statement, as text. False when the session is of no use any more.
  io::Task<bool> ask(const DynamicStatement& statement,
                     std::function<void(const DynamicRows&)> take) {
    pg::Prepared::encode(session_->out(), statement.description(), "");
    statement.encode_bind(session_->out());
    bool refused = false;
    const Take take_answer = [&](const Pipeline::Answer& answer) {
      if (answer.failed) {
        facts_.failure = proto::pg::decode_error(answer.error).text();
        refused = true;
        return;
      }
      DynamicRows rows(answer.row_description, answer.rows, answer.command_tag,
                       proto::pg::Format::text);
      if (rows.next()) take(rows);
    };
    const bool answered = co_await exchange(Pipeline::Expect::prepare_and_execute, take_answer);
    co_return answered && !refused;
  }

  // Sends what was encoded, and waits for its answer.
  io::Task<bool> exchange(Pipeline::Expect expect, Take take) {
    pipeline_.push(session_->out(), expect, this);
    session_->send();
    proto::wire::Buffer& unread = session_->unread();
    while (!pipeline_.empty()) {
      switch (pipeline_.next(unread.view())) {
        case Pipeline::Event::more: {
          unread.consume(pipeline_.consumed());
          const auto received = co_await session_->receive(until_);
          if (received) continue;
          facts_.failure = received.error().message();
          co_return false;
        }
        case Pipeline::Event::answer:
          take(pipeline_.answer());
          break;
        case Pipeline::Event::asynchronous:
          break;
        case Pipeline::Event::fatal:
          facts_.failure = proto::pg::decode_error(pipeline_.message().body).text();
          co_return false;
        case Pipeline::Event::too_large:
        case Pipeline::Event::skipped:
        case Pipeline::Event::violation:
          facts_.failure = "the server does not keep to the protocol";
          co_return false;
      }
      unread.consume(pipeline_.consumed());
    }
    co_return true;
  }

  const pg::Options& options_;
  const Statements statements_;
  // In the order in which they depend on each other.
  io::Reactor reactor_;
  io::BufferGroup buffers_;
  Pipeline pipeline_;
  pg::Session* session_ = nullptr;
  io::Until until_{};
  DatabaseFacts facts_;
};

}  // namespace

DatabaseFacts examine_database(const pg::Options& options, Statements statements,
                               std::chrono::milliseconds limit) {
  return Interview(options, statements).run(limit);
}

}  // namespace ringpost::doctor
