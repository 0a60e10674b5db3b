// Shard: one core's worth of the server, but for its thread (shard_thread.h): a reactor with its
// receive buffers, its pool of connections to PostgreSQL, the handler that the app makes, the
// listener. Shards share nothing but what they learn of PostgreSQL (pg/spread.h). It is made, run
// and ended by one thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "src/http/context.h"
#include "src/http/listener.h"
#include "src/io/buffer_group.h"
#include "src/io/reactor.h"
#include "src/io/scope.h"
#include "src/pg/observer.h"
#include "src/pg/pool.h"
#include "src/service/access_lines.h"
#include "src/service/app.h"
#include "src/service/config.h"
#include "src/service/metrics.h"

namespace ringpost::service {

// What a shard is told by its eventfd. Orders add up there, so that none is lost.
enum class Order : uint64_t {
  leave = 1,               // serve as before, but say that it is not ready
  drain = 1ULL << 9,       // take no new connections, answer what is in flight, end
  cancel = 1ULL << 18,     // give up what is in flight, and end
  share = 1ULL << 27,      // drain, but leave who waits to others who have the sockets too
  hand_over = 1ULL << 36,  // the same with patience: another process serves by now
  beat = 1ULL << 45,       // make a turn: somebody watches whether there are any
  reload = 1ULL << 54,     // look again at what may change
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

// Where a shard's connections come from: listening sockets, at least one, and a socket that is
// connected already (-1: none).
struct ShardSockets {
  std::vector<int> listening;
  int own = -1;
};

class Shard {
 public:
  // `app`, `config`, `pg`, `spread` and `scrape`, which all shards share, outlive the shard;
  // the sockets become its own, the eventfd `control_fd` stays its maker's. `access_log_every`:
  // instead of the settings', and may change (Order::reload). Throws io::RingError.
  Shard(const App& app, const Config& config, const pg::Options& pg, pg::Spread& spread,
        Scrape& scrape, unsigned index, const ShardSockets& sockets, int control_fd,
        const ReceiveBuffers& buffers = {},
        const std::atomic<uint64_t>* access_log_every = nullptr);

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
    unsigned shard_;
  };

  std::unique_ptr<http::Handler> make_handler(const App& app, const Config& config,
                                              const pg::Options& pg, pg::Spread& spread,
                                              Scrape& scrape, const ReceiveBuffers& buffers);
  io::Task<void> live();
  io::Task<void> serve(io::Scope& scope);
  io::Task<void> obey(io::Until until);
  void set_access_log();

  // In the order in which they depend on each other.
  io::Reactor reactor_;
  io::BufferGroup http_buffers_;
  // Where the service has a database.
  std::optional<io::BufferGroup> pg_buffers_;
  PoolLog log_;
  std::optional<pg::Pool> pool_;
  bool leaving_ = false;
  std::unique_ptr<http::Handler> handler_;
  const Config& config_;
  const std::atomic<uint64_t>* access_log_every_;
  std::unique_ptr<AccessLines> access_log_;
  http::Context context_;
  http::Listener listener_;
  int control_fd_;
  Scrape::Enlisted enlisted_;
};

}  // namespace ringpost::service
