// Client: PostgreSQL for a program with one thread for it: a reactor, its buffers, and a pool.
//
//     pg::Client client(*pg::options_for("postgresql://localhost/shop"), statements);
//     client.run(work);  // io::Task<void> work(pg::Client& client)
//
// It is made, run once and ended by one thread. What it is given outlives it. A program with more
// threads has a client on each, as a server has shards (src/service/shard.h).
#pragma once

#include <chrono>
#include <exception>
#include <expected>
#include <functional>
#include <string>
#include <string_view>

#include "src/io/buffer_group.h"
#include "src/io/reactor.h"
#include "src/io/task.h"
#include "src/pg/observer.h"
#include "src/pg/options.h"
#include "src/pg/pool.h"
#include "src/pg/spread.h"

namespace ringpost::pg {

// For a connection string, a URI or key=value words, with what the process knows beside it
// (environment.h), and four connections. The error is one line, without secrets.
std::expected<Options, std::string> options_for(std::string_view conninfo,
                                                std::string application_name = "ringpost");

class Client {
 public:
  // `statements` are all that are ever asked by a declaration. Without an observer what happens to
  // connections is not told. Throws io::RingError where io_uring can't be had.
  Client(Options options, Ledger::Statements statements, Observer* observer = nullptr);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Runs `work(client)`, with the pool beside it, until it has ended; then ends the sessions. What
  // it throws is thrown from here.
  void run(const std::function<io::Task<void>(Client&)>& work);

  Pool& pool() { return pool_; }
  io::Reactor& reactor() { return reactor_; }
  // For what else connects, as a Listener.
  io::BufferGroup& buffers() { return buffers_; }
  const Options& options() const { return options_; }
  Observer& observer() { return observer_; }

  // From now on; with a cancellation, that ends it sooner.
  io::Until within(io::Duration time, io::Cancellation* cancellation = nullptr) const {
    return {reactor_.now() + time, cancellation};
  }

 private:
  io::Task<void> live(const std::function<io::Task<void>(Client&)>& work,
                      std::exception_ptr& thrown);

  const Options options_;
  Observer& observer_;
  // In the order in which they depend on each other.
  io::Reactor reactor_;
  io::BufferGroup buffers_;
  Spread spread_;
  Pool pool_;
};

}  // namespace ringpost::pg
