// Scrape: what `GET /metrics` answers: the counts of all shards, in Prometheus's text format, under
// OpenTelemetry's stable names where it has some (semantic conventions 1.38: HTTP and database
// metrics; what it has none for begins with ringpost_).
//
// Shards enlist when they are made and leave before they end; whoever scrapes reads what their
// threads write (io/counter.h) under a lock that only these three take.
#pragma once

#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/http/metrics.h"
#include "src/io/buffer_group.h"
#include "src/io/reactor.h"
#include "src/pg/pool.h"
#include "src/service/app.h"

namespace ringpost::service {

class Scrape {
 public:
  // What a shard shows. All of it outlives its being enlisted.
  struct Shard {
    unsigned index;
    const io::Reactor& reactor;
    const io::BufferGroup& http_buffers;
    const io::BufferGroup* pg_buffers;  // null, as the pool, where there is no database
    const http::Metrics& http;
    const pg::Pool* pool;
  };
  // All outlive it. `app` has the names: of routes, and of statements, in the order of the pool's.
  Scrape(const App& app, std::string dbname, const pg::Spread& spread)
      : database_(app.about().database),
        routes_(app.routes()),
        statements_(app.statements()),
        dbname_(std::move(dbname)),
        spread_(spread) {}

  // Enlisted while it lives.
  class Enlisted {
   public:
    Enlisted(Scrape& scrape, const Shard& shard);
    ~Enlisted();
    Enlisted(const Enlisted&) = delete;
    Enlisted& operator=(const Enlisted&) = delete;

   private:
    friend class Scrape;
    Scrape& scrape_;
    Shard shard_;
  };

  std::string text() const;
  // How many turns the loop of each shard that lives has made, by its index.
  std::map<unsigned, uint64_t> turns() const;

 private:
  class Writer;

  const bool database_;
  const std::span<const std::string_view> routes_;
  const App::Statements statements_;
  const std::string dbname_;
  const pg::Spread& spread_;
  mutable std::mutex mutex_;
  std::vector<const Enlisted*> shards_;  // under the mutex
};

}  // namespace ringpost::service
