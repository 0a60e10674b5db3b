// The settings of a service's process: command line, environment, file (--config), defaults, in
// this order of precedence. Those that only one service has are its own (App::add_options).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "src/http/limits.h"
#include "src/ops/log_format.h"
#include "src/pg/options.h"
#include "src/service/app.h"

namespace ringpost::service {

struct Config {
  // What the process is there for.
  enum class Purpose : uint8_t {
    serve,
    healthcheck,  // ask the server that runs with these settings
    check,        // look whether these settings and their database are good
    doctor,       // look whether machine and database are fit for them
  };
  Purpose purpose = Purpose::serve;

  std::string file;  // of settings; empty: none
  // Addresses, or unix:PATH, each behind a comma.
  std::string host = "::";
  uint16_t port = 8080;
  unsigned unix_socket_mode = 0660;
  // Where a new process takes over from the one that serves; empty: nowhere.
  std::string takeover_socket;
  std::chrono::milliseconds takeover_limit{30'000}, takeover_grace{5'000};
  // When a supervisor is told that the service is ready: when it listens, or when all its shards
  // answer /readyz with 200.
  bool ready_with_database = false;
  unsigned shards = 1;
  bool pin_shards = true;
  std::chrono::microseconds turn_wait{1000};     // of a shard, for more than one completion
  bool database = true;                          // whether the service has one
  uint32_t db_max_conns = 10, db_min_conns = 1;  // of the whole process
  bool db_learn_spread = true;                   // or every query may use all of a shard's
  ops::Level log_level = ops::Level::info;
  ops::LogFormat log_format = ops::LogFormat::logfmt;
  uint64_t access_log_every = 0;  // one request in so many; 0: none
  std::string profile;            // the folder to write one into at the end; empty: none is taken
  std::chrono::milliseconds request_timeout{2'000}, ready_timeout{1'000}, drain_delay{0},
      drain_limit{10'000};
  http::Limits http;
  size_t wanted_connections = 0;   // MAX_CONNECTIONS; 0: not set
  size_t refused_connections = 0;  // MAX_CONNECTIONS where ulimit -n allows `http` fewer, else 0
  pg::Options pg;                  // each shard gets a copy with its share of the connections

  // Each setting by the name of its option, and a hash of its value: by them two readings are
  // compared, and no secret is kept.
  std::map<std::string, size_t> settings;
  // Whether it was set, and is not its default.
  bool is_given(const std::string& option) const {
    const auto at = settings.find(option);
    return at != settings.end() && at->second != 0;
  }

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
// The same while shards run: the options of `app`'s own are left alone.
Config read_config_again(const App& app, int argc, const char* const* argv);
// The names of the settings that differ.
std::vector<std::string> changed_settings(const Config& before, const Config& after);

// Share number `index` of `count` of a budget: what does not divide goes to the first ones.
constexpr uint32_t share(uint32_t budget, unsigned index, unsigned count) {
  return budget / count + (index < budget % count ? 1 : 0);
}

}  // namespace ringpost::service
