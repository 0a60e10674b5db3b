// The settings of a service's process: command line, environment, file (--config), defaults, in
// this order of precedence. Those that only one service has are its own (App::add_options).
#pragma once

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "src/http/limits.h"
#include "src/pg/options.h"
#include "src/service/app.h"

namespace ringpost::service {

struct Config {
  std::string host = "::";
  uint16_t port = 8080;
  unsigned shards = 1;
  bool pin_shards = true;
  std::chrono::microseconds turn_wait{1000};     // of a shard, for more than one completion
  bool database = true;                          // whether the service has one
  uint32_t db_max_conns = 10, db_min_conns = 1;  // of the whole process
  bool db_learn_spread = true;                   // or every query may use all of a shard's
  std::string log_level = "info";
  std::string profile;       // the folder to write one into at the end; empty: none is taken
  bool healthcheck = false;  // ask the server at this host and port, serve nothing
  std::chrono::milliseconds request_timeout{2'000}, ready_timeout{1'000}, drain_delay{0},
      drain_limit{10'000};
  http::Limits http;
  size_t refused_connections = 0;  // MAX_CONNECTIONS where ulimit -n allows `http` fewer, else 0
  pg::Options pg;                  // each shard gets a copy with its share of the connections

  // Each shard needs a connection to PostgreSQL of its own; the others are not started.
  unsigned started_shards() const {
    return !database || shards < db_max_conns ? shards : db_max_conns;
  }
};

// Nothing is left to do: --help or --version was asked for, or a setting is wrong. What it says is
// for the user, `status` for exit().
struct ConfigEnd : std::runtime_error {
  ConfigEnd(int exit_status, const std::string& message)
      : std::runtime_error(message), status(exit_status) {}
  int status;
};

// Of `app`, whose own options are read, too. Throws ConfigEnd.
Config read_config(App& app, int argc, const char* const* argv);

// Share number `index` of `count` of a budget: what does not divide goes to the first ones.
constexpr uint32_t share(uint32_t budget, unsigned index, unsigned count) {
  return budget / count + (index < budget % count ? 1 : 0);
}

}  // namespace ringpost::service
