// A few people in PostgreSQL: a typed statement, a transaction, three statements in one round trip,
// a deadline, an error. The database is what the PG* variables say, as for psql.
#include <array>
#include <iostream>

#include "src/pg/client.h"
#include "src/pg/transaction.h"

using namespace ringpost;
using namespace std::chrono_literals;
using proto::pg::Access, proto::pg::DynamicStatement, proto::pg::read, proto::pg::write;

struct Person {
  int64_t id;
  std::string name;
  static constexpr auto columns = std::tuple{&Person::id, &Person::name};
};
struct One {
  int32_t one;
  static constexpr auto columns = std::tuple{&One::one};
};

// A read may be asked again when its answer was lost; a write never is.
constexpr auto find = read<Person(int64_t)>("find", "select id, name from people where id = $1");
constexpr auto add =
    write<void(int64_t, std::string_view)>("add", "insert into people values ($1, $2)");
constexpr auto nap = read<One(double)>("nap", "select 1 from pg_sleep($1)");
constexpr std::array<const proto::pg::StatementDescription*, 3> statements{&find, &add, &nap};

io::Task<void> print(pg::Client& client, int64_t id) {
  auto query = client.pool().query(find, client.within(1s), id);
  auto rows = co_await query;
  if (!rows) co_return void(std::cout << rows.error().message() << '\n');
  while (const auto person = rows->next()) std::cout << person->id << ' ' << person->name << '\n';
}

io::Task<pg::Result<uint64_t>> add_three(pg::Transaction& transaction) {
  constexpr std::array names{"Ada", "Grace", "Edsger"};
  uint64_t added = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    auto query = transaction.query(add, static_cast<int64_t>(i + 1), names[i]);
    const auto done = co_await query;
    if (!done) co_return std::unexpected(done.error());  // nothing of it stays
    added += done->affected();
  }
  co_return added;
}

io::Task<void> work(pg::Client& client) {
  const DynamicStatement create(Access::write,
                                "create table people (id int8 primary key, name text)");
  auto creating = client.pool().query(create, client.within(5s));
  const auto created = co_await creating;
  if (!created) std::cout << created.error().message() << '\n';

  const auto added = co_await pg::in_transaction(client.pool(), client.within(1s), {}, add_three);
  std::cout << "added " << added.value_or(0) << '\n';

  io::Scope three(client.reactor());  // all leave in one send
  for (const int64_t id : {1, 2, 3}) three.spawn(print(client, id));
  co_await three.join();

  auto napping = client.pool().query(nap, client.within(50ms), 0.3);
  const auto late = co_await napping;
  if (!late) std::cout << late.error().message() << '\n';

  auto adding = client.pool().query(add, client.within(1s), 1, "Ada");
  const auto again = co_await adding;
  if (!again) std::cout << again.error().message() << '\n';
}

int main(int argc, char** argv) {
  const auto options = pg::options_for(argc > 1 ? argv[1] : "", "people");
  if (!options) return std::cerr << options.error() << '\n', 2;
  pg::Client client(*options, statements);
  client.run(work);
}
