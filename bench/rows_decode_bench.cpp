// Users as PostgreSQL sends them, in binary, read into the columns' types: ours against libpq.
//
// values: libpq's fastest part alone, values and their sizes out of a PGresult that is there
// already (what it takes to parse and to allocate one is not counted); ours from the messages
// themselves, since there is no other form.
//
// socket: all that a client does for a query. Bind, Execute and Sync are written to a socket, the
// answer is read from it, parsed, and its values read; both pay for the same system calls. libpq
// also asks for, and gets, a description of the rows: it can't be told not to.
//
// Each adds up what it reads, and the sums are compared before anything is timed.
#include <memory>
#include <string>

#include <benchmark/benchmark.h>
#include <libpq-fe.h>
#include <unistd.h>

#include "bench/answering_socket.h"
#include "bench/user_rows.h"
#include "proto/pg/pipeline.h"
#include "src/app/users.h"

namespace ringpost::bench {
namespace {

using namespace proto;

// What was read, so that nothing is left out and both can be compared.
struct Sum {
  uint64_t rows = 0, text = 0, numbers = 0;
  bool operator==(const Sum&) const = default;

  void add(const pg::Uuid& id, std::string_view email, std::string_view full_name, int32_t age,
           std::string_view country, bool active, int64_t created_at) {
    ++rows;
    text += email.size() + full_name.size() + country.size() + static_cast<uint8_t>(full_name[0]);
    numbers += id.bytes[0] + id.bytes[15] + static_cast<uint64_t>(age) + active +
               static_cast<uint64_t>(created_at);
  }
};

// ---- the answer, as the server sends it

template <class T>
std::string column(const std::optional<T>& value) {
  std::string bytes(pg::Value<T>::encoded_size(*value), '\0');
  pg::Value<T>::encode(bytes.data(), *value);
  return integer(bytes.size(), 4) + bytes;
}

std::string data_rows(size_t count) {
  std::string messages;
  for (const app::User& user : make_users(count)) {
    std::string body = integer(7, 2);
    std::apply([&](auto... member) { ((body += column(user.*member)), ...); }, app::User::columns);
    messages += message('D', body);
  }
  return messages;
}

std::string row_description() {
  constexpr const char* names[] = {"id",           "email",     "full_name", "age",
                                   "country_code", "is_active", "created_at"};
  constexpr uint32_t types[] = {2950, 25, 25, 23, 1042, 16, 1184};
  std::string body = integer(7, 2);
  for (size_t i = 0; i < 7; ++i)
    body += names[i] + std::string(1, '\0') + integer(0, 6) + integer(types[i], 4) +
            integer(0xffff, 2) + integer(0xffffffff, 4) + integer(1, 2);
  return message('T', body);
}

const std::string bind_complete = message('2', "");
const std::string ending = message('C', std::string("SELECT 1", 9)) + message('Z', "I");

// ---- ours

Sum read_ours(std::string_view messages) {
  Sum sum;
  pg::Rows<app::User> rows(messages);
  while (const auto row = rows.next())
    sum.add(*row->id, *row->email, *row->full_name, *row->age, *row->country_code, *row->is_active,
            row->created_at->microseconds);
  return sum;
}

// ---- libpq

struct ResultDeleter {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, ResultDeleter>;

Sum read_libpq(const PGresult* result) {
  Sum sum;
  const int rows = PQntuples(result);
  for (int row = 0; row < rows; ++row) {
    const auto text = [&](int at) {
      return std::string_view(PQgetvalue(result, row, at),
                              static_cast<size_t>(PQgetlength(result, row, at)));
    };
    // What a careful reader does for each column, as ours does.
    for (int at = 0; at < 7; ++at) require(PQgetisnull(result, row, at) == 0, "a NULL");
    const std::string_view id = text(0), age = text(3), active = text(5), created_at = text(6);
    require(id.size() == 16 && age.size() == 4 && active.size() == 1 && created_at.size() == 8,
            "a size");
    sum.add(pg::Value<pg::Uuid>::decode(id), text(1), text(2), pg::Value<int32_t>::decode(age),
            text(4), pg::Value<bool>::decode(active),
            pg::Value<pg::Timestamptz>::decode(created_at).microseconds);
  }
  return sum;
}

// ---- queries: our pipeline machine and libpq

class OurClient {
 public:
  explicit OurClient(size_t rows)
      : server_(bind_complete + data_rows(rows) + ending), fd_(server_.connect()) {}
  ~OurClient() { ::close(fd_); }

  Sum query() {
    benchmark::DoNotOptimize(app::find_user.encode_bind(out_, id_));
    pipeline_.push(out_, pg::Pipeline::Expect::execute, this);
    require(::write(fd_, out_.data(), out_.size()) == static_cast<ssize_t>(out_.size()),
            "a short write");
    out_.clear();
    server_.serve();
    for (;;) {
      const ssize_t size = ::read(fd_, in_.prepare(64 * 1024), 64 * 1024);
      require(size > 0, "no answer");
      in_.commit(static_cast<size_t>(size));
      const pg::Pipeline::Event event = pipeline_.next(in_.view());
      if (event == pg::Pipeline::Event::answer) break;
      require(event == pg::Pipeline::Event::more, "not an answer");
    }
    const Sum sum = read_ours(pipeline_.answer().rows);
    in_.consume(pipeline_.consumed());
    return sum;
  }

 private:
  AnsweringSocket server_;
  int fd_;
  pg::Uuid id_{};
  pg::Pipeline pipeline_{256, 1 << 20};
  wire::Buffer out_, in_;
};

class LibpqClient {
 public:
  explicit LibpqClient(size_t rows)
      : server_(bind_complete + row_description() + data_rows(rows) + ending),
        connection_(server_.connect_libpq()) {}
  ~LibpqClient() { PQfinish(connection_); }

  Result ask() {
    const char* values[] = {reinterpret_cast<const char*>(id_.bytes.data())};
    const int lengths[] = {16}, binary[] = {1};
    require(PQsendQueryPrepared(connection_, "find_user", 1, values, lengths, binary, 1) == 1,
            PQerrorMessage(connection_));
    server_.serve();
    Result result(PQgetResult(connection_));
    require(PQresultStatus(result.get()) == PGRES_TUPLES_OK, PQerrorMessage(connection_));
    require(PQgetResult(connection_) == nullptr, "more than one result");
    return result;
  }

 private:
  AnsweringSocket server_;
  PGconn* connection_;
  pg::Uuid id_{};
};

size_t rows_of(const benchmark::State& state) {
  return static_cast<size_t>(state.range(0));
}

void count(benchmark::State& state) {
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void values_ours(benchmark::State& state) {
  const std::string messages = data_rows(rows_of(state));
  for (auto _ : state) benchmark::DoNotOptimize(read_ours(messages));
  count(state);
}

void values_libpq(benchmark::State& state) {
  const Result result = LibpqClient(rows_of(state)).ask();
  for (auto _ : state) benchmark::DoNotOptimize(read_libpq(result.get()));
  count(state);
}

void socket_ours(benchmark::State& state) {
  OurClient client(rows_of(state));
  for (auto _ : state) benchmark::DoNotOptimize(client.query());
  count(state);
}

void socket_libpq(benchmark::State& state) {
  LibpqClient client(rows_of(state));
  for (auto _ : state) benchmark::DoNotOptimize(read_libpq(client.ask().get()));
  count(state);
}

void encode_bind(benchmark::State& state) {
  const pg::Uuid id{};
  wire::Buffer out;
  for (auto _ : state) {
    out.clear();
    benchmark::DoNotOptimize(app::find_user.encode_bind(out, id));
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
}

void check_outputs() {
  for (const size_t rows : {size_t{1}, size_t{200}}) {
    const Sum ours = read_ours(data_rows(rows));
    require(ours.rows == rows, "rows are missing");
    require(read_libpq(LibpqClient(rows).ask().get()) == ours, "libpq reads other values");
    require(OurClient(rows).query() == ours, "the socket brings other values");
  }
}

BENCHMARK(values_ours)->Arg(1)->Arg(200);
BENCHMARK(values_libpq)->Arg(1)->Arg(200);
BENCHMARK(socket_ours)->Arg(1)->Arg(200);
BENCHMARK(socket_libpq)->Arg(1)->Arg(200);
BENCHMARK(encode_bind);

}  // namespace
}  // namespace ringpost::bench

int main(int argc, char** argv) {
  ringpost::bench::check_outputs();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
