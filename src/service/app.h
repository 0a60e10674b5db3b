// App: what a service declares of itself; the rest of its process is this room's: settings,
// signals, shards, metrics.
//
// One of it is there for a process. It outlives the shards, and what it says is read by all their
// threads: nothing of it changes once add_options() has returned and the command line was read.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "proto/pg/statement.h"
#include "src/http/handler.h"
#include "src/io/reactor.h"
#include "src/pg/pool.h"
#include "src/service/options.h"

namespace ringpost::service {

// What stands here lives as long as the program: literals.
struct About {
  // Of the program: in --help, before its errors, and as PostgreSQL's application_name.
  std::string_view name;
  std::string_view version;
  std::string_view description;  // for --help: what it is, in one sentence

  bool database = true;  // whether it has one; else it takes none of its settings

  // Of its API, in /openapi.json. `license`: an SPDX identifier.
  std::string_view title, api_version, api_description, license{};
};

// Of what is answered, for the API's document: a name, and what stands there in JSON Schema.
struct Schema {
  std::string_view name, json;
};

// What a shard lends to the handler that was made for it. All of it outlives the handler.
struct Environment {
  io::Reactor& reactor;
  pg::Pool* pool;  // null where there is no database
  std::chrono::milliseconds request_timeout, ready_timeout;
  std::function<std::string()> metrics;  // what /metrics answers
  // /readyz says no from now on, so that balancers send their requests elsewhere.
  const bool& leaving;
};

class App {
 public:
  using Statements = std::span<const proto::pg::StatementDescription* const>;

  virtual ~App() = default;

  virtual const About& about() const = 0;
  // All that the pool is asked for.
  virtual Statements statements() const = 0;
  // The patterns of the handler's routes, by their numbers in the metrics, from 1.
  virtual std::span<const std::string_view> routes() const = 0;

  // Adds the options of its own.
  virtual void add_options(Options& /*options*/) {}

  // Called by each shard on its thread.
  virtual std::unique_ptr<http::Handler> make_handler(const Environment& environment) const = 0;
};

}  // namespace ringpost::service
