// Shard: one core's worth of the server, but for its thread (shard_thread.h): a reactor with its
// receive buffers, its pool of connections to PostgreSQL, the handler that the app makes, the
// listener. Shards share nothing but what they learn of PostgreSQL (pg/spread.h). It is made, run
// and ended by one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "src/http/context.h"
#include "src/http/listener.h"
#include "src/io/buffer_group.h"
#include "src/io/reactor.h"
#include "src/io/scope.h"
#include "src/pg/observer.h"
#include "src/pg/pool.h"
#include "src/service/app.h"
#include "src/service/config.h"
#include "src/service/metrics.h"

namespace ringpost::service {

// What a shard is told by its eventfd. Orders add up there, so that none is lost.
enum class Order : uint64_t {
  leave = 1,            // serve as before, but say that it is not ready
  drain = 1ULL << 16,   // take no new connections, answer what is in flight, end
  cancel = 1ULL << 32,  // give up what is in flight, and end
};
void give_order(int control_fd, Order order);

// Receive buffers. HTTP requests are small and many; what PostgreSQL sends is large and comes on
// few connections. They are apart, so that a flood of requests can't starve the answers. The kernel
// takes them in turn, so all are touched soon: their size is memory, and larger heads come in
// parts.
struct ReceiveBuffers {
  unsigned http_count = 1024, http_bytes = 2048;
  unsigned pg_count = 64, pg_bytes = 32 * 1024;
};

class Shard {
 public:
  // `app`, `config`, `pg`, `spread` and `scrape`, which all shards share, outlive the shard;
  // `listening_fd` becomes its own, the eventfd `control_fd` stays its maker's. Throws
  // io::RingError.
  Shard(const App& app, const Config& config, const pg::Options& pg, pg::Spread& spread,
        Scrape& scrape, unsigned index, int listening_fd, int control_fd,
        const ReceiveBuffers& buffers = {});

  // Serves until an order ends it.
  void run() { reactor_.run(live()); }

 private:
  class PoolLog final : public pg::Observer {
   public:
    explicit PoolLog(unsigned shard) : shard_(shard) {}
    void connected(std::string_view address, std::string_view server_version) override;
    void connect_failed(std::string_view why) override;
    void connection_lost(std::string_view why, size_t in_flight) override;
    void connection_retired(std::string_view address, std::string_view why) override;
    void notice(std::string_view severity, std::string_view message) override;
    void statement_failed(std::string_view statement, std::string_view why) override;
    void statements_not_kept(std::string_view why) override;

   private:
    // A function may raise any number of notices, for each request: so many a second are logged,
    // and then how many were not.
    static constexpr unsigned most_notices = 10;

    unsigned shard_, notices_ = 0;
    std::chrono::steady_clock::time_point second_{};  // when the one that they are counted in began
  };

  std::unique_ptr<http::Handler> make_handler(const App& app, const Config& config,
                                              const pg::Options& pg, pg::Spread& spread,
                                              Scrape& scrape, const ReceiveBuffers& buffers);
  io::Task<void> live();
  io::Task<void> serve(io::Scope& scope);
  io::Task<void> obey(io::Until until);

  // In the order in which they depend on each other.
  io::Reactor reactor_;
  io::BufferGroup http_buffers_;
  // Where the service has a database.
  std::optional<io::BufferGroup> pg_buffers_;
  PoolLog log_;
  std::optional<pg::Pool> pool_;
  bool leaving_ = false;
  std::unique_ptr<http::Handler> handler_;
  http::Context context_;
  http::Listener listener_;
  int control_fd_;
  Scrape::Enlisted enlisted_;
};

}  // namespace ringpost::service
