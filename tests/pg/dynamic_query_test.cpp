// A statement made at run time: what it sends, what it brings, and that it is a query like others.
// The example of src/pg/query.h, compiled and run.
#include "src/pg/dynamic_query.h"

#include "tests/pg/pool_client.h"

namespace ringpost::pg {
namespace {

using io::Reactor, io::Task;
using proto::pg::Access, proto::pg::DynamicRows, proto::pg::DynamicStatement, proto::pg::Format;

// select $1, with "hi" as text of a type that the server finds out, for rows as text.
const std::string ask_text =
    "C\0\0\0\x06S\0P\0\0\0\x15\0select $1\0\0\1\0\0\0\0D\0\0\0\x06S\0"
    "B\0\0\0\x16\0\0\0\1\0\0\0\1\0\0\0\2hi\0\1\0\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\4"s;
// The same of an int4 in binary, for rows in binary.
const std::string ask_binary =
    "C\0\0\0\x06S\0P\0\0\0\x15\0select $1\0\0\1\0\0\0\x17"
    "D\0\0\0\x06S\0"
    "B\0\0\0\x18\0\0\0\1\0\1\0\1\0\0\0\4\0\0\0\7\0\1\0\1E\0\0\0\x09\0\0\0\0\0S\0\0\0\4"s;
const std::string text_answer =
    "3\0\0\0\4"
    "1\0\0\0\4"
    "t\0\0\0\x0a\0\1\0\0\0\x19"
    "T\0\0\0\x1a\0\1t\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0"
    "2\0\0\0\4"
    "D\0\0\0\x0c\0\1\0\0\0\2hi"
    "C\0\0\0\x0dSELECT 1\0Z\0\0\0\5I"s;

TEST(DynamicQuery, BringsRowsWithTheirDescription) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() + Script{expect(ask_text), send(text_answer),
                                              expect(ask_binary), send(prepared + answer(7)),
                                              expect(ask_find(2)), send(answer(2))});
    Client client(reactor, server);
    co_await client.connected();
    DynamicStatement text(Access::read, "select $1");
    text.add_text("hi");
    auto asking = client.pool->query(text, {reactor.now() + 3s});
    Result<DynamicRows> rows = co_await asking;
    EXPECT_TRUE(rows) << rows.error().message();
    EXPECT_EQ(rows->columns().size(), 1u);
    EXPECT_EQ(rows->columns()[0].name, "t");
    EXPECT_TRUE(rows->next());
    EXPECT_EQ(rows->bytes(0), "hi");
    EXPECT_FALSE(rows->next());
    EXPECT_EQ(rows->affected(), 1u);

    DynamicStatement binary(Access::read, "select $1", Format::binary);
    binary.add(int32_t{7});
    auto asking_again = client.pool->query(binary, {reactor.now() + 3s});
    rows = co_await asking_again;
    EXPECT_TRUE(rows->next());
    EXPECT_EQ(rows->as<int32_t>(0), 7);
    Answer declared;
    co_await client.run(declared, 2);
    EXPECT_TRUE(declared.is({2})) << declared;
    co_await client.stop();
    co_await server.stop();
  });
}

// What it says of a statement by name, of a PREPARE twice say, is no word about how ours are kept.
TEST(DynamicQuery, ItsErrorIsItsOwn) {
  for (const std::string sqlstate : {"42601", "42P05", "26000"}) {
    run_on_reactor([&](Reactor& reactor) -> Task<void> {
      ScriptedPostgres server(reactor);
      server.listen();
      server.play(log_in_and_prepare() + Script{expect(ask_text),
                                                send(error("ERROR", sqlstate, "no") + ready),
                                                expect(ask_find(2)), send(answer(2))});
      Client client(reactor, server);
      co_await client.connected();
      DynamicStatement text(Access::read, "select $1");
      text.add_text("hi");
      auto asking = client.pool->query(text, {reactor.now() + 3s});
      const Result<DynamicRows> rows = co_await asking;
      EXPECT_FALSE(rows);
      if (!rows) {
        EXPECT_EQ(rows.error().message(), "ERROR " + sqlstate + ": no");
      }
      Answer next;
      co_await client.run(next, 2);
      EXPECT_TRUE(next.is({2})) << next;
      EXPECT_EQ(client.observer.count("statements_not_kept"), 0u);
      co_await client.stop();
      co_await server.stop();
    });
  }
}

// A late answer is drained, as that of any other.
TEST(DynamicQuery, GivenUp) {
  for (const bool in_time : {true, false}) {
    run_on_reactor([in_time](Reactor& reactor) -> Task<void> {
      ScriptedPostgres server(reactor);
      server.listen();
      Gate gate(reactor);
      server.play(log_in_and_prepare() + Script{expect(ask_text), pause(gate), send(text_answer),
                                                expect(ask_find(2)), send(answer(2))});
      Client client(reactor, server);
      co_await client.connected();
      io::Cancellation cancellation;
      io::Scope scope(reactor);
      std::optional<Error> why;
      const auto ask = [&]() -> Task<void> {
        DynamicStatement text(Access::read, "select $1");
        text.add_text("hi");
        auto asking =
            client.pool->query(text, {reactor.now() + (in_time ? 3s : 30ms), &cancellation});
        const Result<DynamicRows> rows = co_await asking;
        if (!rows) why = rows.error();
      };
      scope.spawn(ask());
      co_await io::Sleep(reactor, 5ms, nullptr);
      if (in_time) cancellation.request();
      co_await scope.join();
      EXPECT_TRUE(why && why->kind == (in_time ? Error::Kind::cancelled : Error::Kind::timed_out));
      gate.open();
      Answer next;
      co_await client.run(next, 2);
      EXPECT_TRUE(next.is({2})) << next;
      co_await client.stop();
      co_await server.stop();
    });
  }
}

// A read is asked again on the next session, a write is not.
TEST(DynamicQuery, TheServerIsGone) {
  for (const Access access : {Access::read, Access::write}) {
    run_on_reactor([access](Reactor& reactor) -> Task<void> {
      ScriptedPostgres server(reactor);
      server.listen();
      const bool again = access == Access::read;
      server.play(log_in_and_prepare() + Script{expect(ask_text), close_session()});
      server.play(log_in_and_prepare() +
                  (again ? Script{expect(ask_text), send(text_answer)} : Script{}));
      Client client(reactor, server);
      co_await client.connected();
      DynamicStatement text(access, "select $1");
      text.add_text("hi");
      auto asking = client.pool->query(text, {reactor.now() + 3s});
      Result<DynamicRows> rows = co_await asking;
      EXPECT_EQ(rows.has_value(), again);
      if (rows) {
        EXPECT_TRUE(rows->next() && rows->bytes(0) == "hi");
      }
      const bool back = co_await client.until([&] { return client.pool->open_connections() == 1; });
      EXPECT_TRUE(back);
      co_await client.stop();
      co_await server.stop();
    });
  }
}

TEST(DynamicQuery, ThatNoMessageHoldsIsRefusedUnsent) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare());
    Client client(reactor, server);
    co_await client.connected();
    DynamicStatement text(Access::read, "select $1");
    text.add(std::string_view("x", (size_t{1} << 32) + 1));  // of a made-up length
    auto asking = client.pool->query(text, {reactor.now() + 3s});
    const Result<DynamicRows> rows = co_await asking;
    EXPECT_TRUE(!rows && rows.error().kind == Error::Kind::too_large);
    co_await client.stop();
    co_await server.stop();
  });
}

// As it stands at the top of src/pg/query.h.
TEST(Query, TheExampleOfItsHeader) {
  run_on_reactor([](Reactor& reactor) -> Task<void> {
    ScriptedPostgres server(reactor);
    server.listen();
    server.play(log_in_and_prepare() +
                Script{expect(ask_find(5)), send(bound + row(6) + row(7) + selected + ready)});
    Client client(reactor, server);
    co_await client.connected();
    Pool& pool = *client.pool;
    using User = Number;
    const auto& find_user = find_number;
    const int32_t id = 5;
    int32_t sum = 0;
    const auto use = [&sum](const User& user) { sum += user.value; };
    const auto work = [&]() -> Task<Result<void>> {
      auto query = pool.query(find_user, io::Until{reactor.now() + 500ms}, id);
      pg::Result<proto::pg::Rows<User>> rows = co_await query;
      if (!rows) co_return std::unexpected(rows.error());
      while (const std::optional<User> user = rows->next()) use(*user);
      co_return Result<void>();
    };
    const Result<void> worked = co_await work();
    EXPECT_TRUE(worked);
    EXPECT_EQ(sum, 13);
    co_await client.stop();
    co_await server.stop();
  });
}

}  // namespace
}  // namespace ringpost::pg
