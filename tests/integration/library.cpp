// Transactions, notifications and statements made at run time, with a real PostgreSQL: what its
// answers are is not ours to say. The PG* variables say which; library_test.py runs it.
#include <array>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "src/io/sleep.h"
#include "src/pg/client.h"
#include "src/pg/listener.h"
#include "src/pg/transaction.h"

using namespace std::chrono_literals;
using namespace std::string_literals;

namespace ringpost::pg {
namespace {

using io::Task;
using proto::pg::Access, proto::pg::DynamicRows, proto::pg::DynamicStatement, proto::pg::Format;

struct Balance {
  int64_t balance;
  static constexpr auto columns = std::tuple{&Balance::balance};
};
constexpr auto find_balance =
    proto::pg::read<Balance(int32_t)>("find_balance", "select balance from accounts where id = $1");
constexpr auto change_balance = proto::pg::write<void(int32_t, int64_t)>(
    "change_balance", "update accounts set balance = balance + $2 where id = $1");
constexpr std::array<const proto::pg::StatementDescription*, 2> statements{&find_balance,
                                                                           &change_balance};

class Library : public testing::Test {
 protected:
  void run(const std::function<Task<void>(Client&)>& work) {
    const auto options = options_for("", "library_test");
    ASSERT_TRUE(options) << options.error();
    Client client(*options, statements);
    client.run([&](Client& each) -> Task<void> {
      static constexpr std::array begin{
          "drop table if exists accounts",
          "create table accounts (id int4 primary key, balance int8 not null)",
          "insert into accounts values (1, 100), (2, 100)"};
      for (const char* sql : begin) {
        const bool done = co_await execute(each, sql);
        EXPECT_TRUE(done) << sql;
      }
      co_await work(each);
    });
  }

  static Task<bool> execute(Client& client, std::string sql) {
    const DynamicStatement statement(Access::write, std::move(sql));
    auto asking = client.pool().query(statement, client.within(5s));
    const auto done = co_await asking;
    EXPECT_TRUE(done) << done.error().message();
    co_return done.has_value();
  }
  static Task<int64_t> balance(Client& client, int32_t id) {
    auto asking = client.pool().query(find_balance, client.within(5s), id);
    auto rows = co_await asking;
    const auto row = rows ? rows->next() : std::nullopt;
    co_return row ? row->balance : -1;
  }
};

TEST_F(Library, ATransactionIsDoneWholeOrNotAtAll) {
  run([](Client& client) -> Task<void> {
    {
      Transaction left(client.pool(), client.within(5s));
      const Result<void> begun = co_await left.begin();
      EXPECT_TRUE(begun);
      auto taking = left.query(change_balance, 1, -30);
      const auto taken = co_await taking;
      EXPECT_TRUE(taken && taken->affected() == 1);
    }
    int64_t now = co_await balance(client, 1);
    EXPECT_EQ(now, 100) << "it was left";
    Transaction failed(client.pool(), client.within(5s));
    (void)co_await failed.begin();
    auto taking = failed.query(change_balance, 1, -30);
    (void)co_await taking;
    const DynamicStatement wrong(Access::write, "insert into accounts values (1, 0)");
    auto inserting = failed.query(wrong);
    const auto inserted = co_await inserting;
    EXPECT_TRUE(!inserted && inserted.error().server->sqlstate == "23505");
    const Result<void> committed = co_await failed.commit();
    EXPECT_TRUE(!committed && committed.error().kind == Error::Kind::rolled_back);
    now = co_await balance(client, 1);
    EXPECT_EQ(now, 100);
  });
}

TEST_F(Library, ReadOnlyMeansIt) {
  run([](Client& client) -> Task<void> {
    const TransactionOptions options{
        .isolation = Isolation::serializable, .read_only = true, .deferrable = true};
    Transaction transaction(client.pool(), client.within(5s), options);
    (void)co_await transaction.begin();
    auto taking = transaction.query(change_balance, 1, -30);
    const auto taken = co_await taking;
    EXPECT_TRUE(!taken && taken.error().server->sqlstate == "25006");
  });
}

// Each reads both accounts and changes one: no order of the two brings what both saw.
TEST_F(Library, SerializableOnesThatCollideAreBothDoneInTheEnd) {
  run([](Client& client) -> Task<void> {
    int begun = 0, done = 0;
    const auto move = [&](int32_t from) -> Task<void> {
      const auto body = [&, from](Transaction& transaction) -> Task<Result<int64_t>> {
        int64_t sum = 0;
        for (int32_t id = 1; id <= 2; ++id) {
          auto finding = transaction.query(find_balance, id);
          auto rows = co_await finding;
          if (!rows) co_return std::unexpected(rows.error());
          sum += rows->next()->balance;
        }
        ++begun;
        while (begun == 1) co_await io::Sleep(client.reactor(), 1ms, nullptr);
        auto taking = transaction.query(change_balance, from, -sum / 2);
        const auto taken = co_await taking;
        if (!taken) co_return std::unexpected(taken.error());
        co_return sum;
      };
      const TransactionOptions options{.isolation = Isolation::serializable};
      const Result<int64_t> sum =
          co_await in_transaction(client.pool(), client.within(5s), options, body);
      EXPECT_TRUE(sum) << sum.error().message();
      done += sum ? 1 : 0;
    };
    io::Scope scope(client.reactor());
    scope.spawn(move(1));
    scope.spawn(move(2));
    co_await scope.join();
    EXPECT_EQ(done, 2);
    EXPECT_GE(begun, 3) << "one had to begin anew";
    const int64_t first = co_await balance(client, 1), second = co_await balance(client, 2);
    EXPECT_EQ(first + second, 50) << "200, less its half, less the half of what is left";
  });
}

// What is given up is cancelled, so that its locks do not hold others up.
TEST_F(Library, GivenUpMidStatementItHoldsNoLock) {
  run([](Client& client) -> Task<void> {
    {
      Transaction stuck(client.pool(), client.within(200ms));
      (void)co_await stuck.begin();
      auto taking = stuck.query(change_balance, 1, -30);
      (void)co_await taking;
      const DynamicStatement nap(Access::read, "select pg_sleep(60)");
      auto napping = stuck.query(nap);
      const auto slept = co_await napping;
      EXPECT_TRUE(!slept && slept.error().kind == Error::Kind::timed_out);
    }
    auto taking = client.pool().query(change_balance, client.within(5s), 1, -1);
    const auto taken = co_await taking;
    EXPECT_TRUE(taken) << taken.error().message();
    const int64_t now = co_await balance(client, 1);
    EXPECT_EQ(now, 99);
  });
}

TEST_F(Library, NotificationsAcrossTheEndOfTheSession) {
  run([](Client& client) -> Task<void> {
    Listener listener(client.reactor(), client.buffers(), client.options(), {"some \"news\""},
                      client.observer());
    io::Scope scope(client.reactor());
    scope.spawn(listener.run());
    const auto next = [&]() -> Task<std::string> {
      const Result<Heard> heard = co_await listener.next(client.within(5s));
      if (!heard) co_return heard.error().message();
      co_return heard->what == Heard::What::listening ? "listening" : heard->payload;
    };
    std::string heard = co_await next();
    EXPECT_EQ(heard, "listening");
    (void)co_await execute(client, "notify \"some \"\"news\"\"\", 'one'");
    heard = co_await next();
    EXPECT_EQ(heard, "one");
    (void)co_await execute(client,
                           "select pg_terminate_backend(pid) from pg_stat_activity where query "
                           "like 'LISTEN %'");
    heard = co_await next();
    EXPECT_EQ(heard, "listening");
    (void)co_await execute(client, "select pg_notify('some \"news\"', 'two')");
    heard = co_await next();
    EXPECT_EQ(heard, "two");
    listener.stop();
    co_await scope.join();
  });
}

TEST_F(Library, StatementsMadeAtRunTime) {
  run([](Client& client) -> Task<void> {
    DynamicStatement text(Access::read, "select $1::int4 + 1 as more, null::text, $2::numeric");
    text.add_text("41").add_text("1.50");
    auto asking = client.pool().query(text, client.within(5s));
    Result<DynamicRows> rows = co_await asking;
    EXPECT_TRUE(rows && rows->next());
    EXPECT_EQ(rows->find("more"), 0u);
    EXPECT_EQ(rows->bytes(0), "42");
    EXPECT_TRUE(rows->is_null(1));
    EXPECT_EQ(rows->bytes(2), "1.50");
    EXPECT_FALSE(rows->next() || rows->malformed());

    DynamicStatement binary(Access::read, "select unnest($1::int8[]) as id", Format::binary);
    binary.add(std::vector<int64_t>{5, -6});
    auto asking_again = client.pool().query(binary, client.within(5s));
    rows = co_await asking_again;
    std::vector<int64_t> ids;
    while (rows && rows->next()) ids.push_back(rows->as<int64_t>(0).value_or(0));
    EXPECT_EQ(ids, (std::vector<int64_t>{5, -6}));
    EXPECT_EQ(rows->command(), "SELECT 2");
  });
}

}  // namespace
}  // namespace ringpost::pg
