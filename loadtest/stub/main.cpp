// postgres-stub, the process: reads the table, listens, serves until a signal ends it.
//
//     psql -Xc 'copy (select id, email, ...) to stdout (format binary)' | postgres-stub --port 5433
#include <cstdint>
#include <cstdio>
#include <expected>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <signal.h>

#include "loadtest/stub/server.h"
#include "loadtest/stub/table.h"
#include "src/io/address.h"
#include "src/io/listen.h"

namespace ringpost::stub {
namespace {

constexpr int backlog = 4096;
// Process ids of sessions: apart for each thread, all positive.
constexpr int32_t ids_of_a_thread = 1 << 20;

struct Options {
  std::string file = "/dev/stdin", host = "127.0.0.1";
  uint16_t port = 5433;
  unsigned threads = 1;
};

Table read_table(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("can't read " + path);
  std::expected<Table, std::string> table =
      Table::read({std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()});
  if (!table) throw std::runtime_error(path + ": " + table.error());
  return std::move(*table);
}

std::vector<int> listen_for_all(const Options& options) {
  const std::optional<io::Address> address = io::Address::numeric(options.host, options.port);
  if (!address) throw std::runtime_error(options.host + " is no IPv4 or IPv6 address");
  std::vector<int> sockets;
  while (sockets.size() < options.threads) {
    const io::Result<int> fd = io::listen_tcp(*address, backlog);
    if (!fd) throw std::runtime_error(address->text() + ": " + fd.error().message());
    sockets.push_back(*fd);
  }
  return sockets;
}

void run(const Options& options) {
  signal(SIGPIPE, SIG_IGN);
  const Table table = read_table(options.file);
  const std::vector<int> sockets = listen_for_all(options);
  // A connection waits in the backlog until the thread of its socket has begun.
  std::printf("postgres-stub: %zu users, listening on port %u\n", table.size(), options.port);
  std::fflush(stdout);
  std::vector<std::jthread> threads;
  threads.reserve(sockets.size());
  for (size_t i = 0; i < sockets.size(); ++i)
    threads.emplace_back([&table, fd = sockets[i], i] {
      Server(table, fd, static_cast<int32_t>(i) * ids_of_a_thread + 1).run();
    });
}

}  // namespace
}  // namespace ringpost::stub

int main(int argc, char** argv) {
  using namespace ringpost::stub;
  Options options;
  CLI::App app(
      "A stand-in for PostgreSQL that answers the statements of the users API from memory, for "
      "load "
      "tests in which the database costs next to nothing. Figures against it are no figures of a "
      "service.");
  app.add_option("file", options.file,
                 "The users, as COPY writes them in its binary format: id, email, full_name, age, "
                 "country_code, is_active, created_at")
      ->capture_default_str();
  app.add_option("--host", options.host, "Address to listen on")->capture_default_str();
  app.add_option("--port", options.port, "Port to listen on")->capture_default_str();
  app.add_option("--threads", options.threads, "Threads; connections are spread over them")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "postgres-stub: %s\n", error.what());
    return 1;
  }
}
