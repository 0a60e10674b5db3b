#include "src/shard.h"

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "src/app/routes.h"
#include "src/http/listener.h"
#include "src/io/awaited_operation.h"
#include "src/io/buffer_group.h"
#include "src/io/scope.h"
#include "src/ops/log.h"
#include "src/pg/pool.h"

namespace ringpost {

namespace {

// Orders add up in the eventfd, so that none is lost.
constexpr uint64_t leave_order = 1, drain_order = 1ULL << 16, cancel_order = 1ULL << 32;

// Receive buffers. HTTP requests are small and many; what PostgreSQL sends is large and comes on
// few connections. They are apart, so that a flood of requests can't starve the answers. The kernel
// takes them in turn, so all are touched soon: their size is memory, and larger heads come in
// parts.
constexpr unsigned http_buffers = 1024, http_buffer_bytes = 2048;
constexpr unsigned pg_buffers = 64, pg_buffer_bytes = 32 * 1024;

class PoolLog final : public pg::Observer {
 public:
  explicit PoolLog(unsigned shard) : shard_(shard) {}
  void connected(std::string_view address, std::string_view server_version) override {
    ops::log(ops::Level::info, "db_connected",
             {{"shard", shard_}, {"address", address}, {"postgresql", server_version}});
  }
  void connect_failed(std::string_view why) override {
    ops::log(ops::Level::warning, "db_connect_failed", {{"shard", shard_}, {"why", why}});
  }
  void connection_lost(std::string_view why, size_t in_flight) override {
    ops::log(ops::Level::warning, "db_connection_lost",
             {{"shard", shard_}, {"why", why}, {"in_flight", in_flight}});
  }
  void notice(std::string_view severity, std::string_view message) override {
    ops::log(ops::Level::info, "db_notice",
             {{"shard", shard_}, {"severity", severity}, {"message", message}});
  }
  void statement_failed(std::string_view statement, std::string_view why) override {
    ops::log(ops::Level::error, "db_statement_failed",
             {{"shard", shard_}, {"statement", statement}, {"why", why}});
  }

 private:
  unsigned shard_;
};

}  // namespace

// What lives on the thread, in the order in which it depends on each other.
class Shard::Body {
 public:
  Body(const Config& config, const pg::Options& pg, unsigned index, int listening_fd,
       int control_fd)
      : http_buffers_(reactor_.ring(), 0, http_buffers, http_buffer_bytes),
        pg_buffers_(reactor_.ring(), 1, pg_buffers, pg_buffer_bytes),
        log_(index),
        pool_(reactor_, pg_buffers_, pg, app::statements, log_),
        routes_(pool_, {config.request_timeout, config.ready_timeout}),
        context_(reactor_, http_buffers_, config.http, routes_),
        listener_(context_, listening_fd),
        control_fd_(control_fd) {
    reactor_.add(http_buffers_);
    reactor_.add(pg_buffers_);
  }

  void run() { reactor_.run(live()); }

 private:
  io::Task<void> live() {
    io::Scope scope(reactor_);
    scope.spawn(pool_.run());
    scope.spawn(serve(scope));
    co_await obey(scope.until());
    co_await scope.join();
  }

  io::Task<void> serve(io::Scope& scope) {
    co_await listener_.run();
    pool_.stop();
    scope.cancel();  // no more orders are needed
  }

  io::Task<void> obey(io::Until until) {
    for (;;) {
      uint64_t orders = 0;
      auto reading = io::AwaitedOperation(reactor_, until, "read orders", [&](io_uring_sqe* entry) {
        io_uring_prep_read(entry, control_fd_, &orders, sizeof orders, 0);
      });
      const io::Result<int> read = co_await reading;
      if (!read) co_return;
      if (orders % drain_order != 0) routes_.leave();
      if (orders % cancel_order >= drain_order) listener_.drain();
      if (orders >= cancel_order) listener_.cancel();
    }
  }

  io::Reactor reactor_;
  io::BufferGroup http_buffers_, pg_buffers_;
  PoolLog log_;
  pg::Pool pool_;
  app::Routes routes_;
  http::Context context_;
  http::Listener listener_;
  int control_fd_;
};

Shard::Shard(const Config& config, unsigned index, unsigned count, std::vector<int> cpus,
             int listening_fd, int ended_fd)
    : config_(config),
      index_(index),
      count_(count),
      cpus_(std::move(cpus)),
      listening_fd_(listening_fd),
      ended_fd_(ended_fd),
      control_fd_(eventfd(0, EFD_CLOEXEC)),
      pg_(config.pg) {
  if (control_fd_ == -1) throw std::system_error(errno, std::generic_category(), "eventfd");
  pg_.max_connections = share(config.db_max_conns, index, count);
  pg_.min_connections = std::min(share(config.db_min_conns, index, count), pg_.max_connections);
}

Shard::~Shard() {
  if (thread_.joinable()) thread_.join();
  ::close(control_fd_);
}

void Shard::start() {
  thread_ = std::thread([this] { run(); });
}

void Shard::run() {
  pthread_setname_np(pthread_self(), name().c_str());
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus_) CPU_SET(cpu, &set);
  if (const int error = pthread_setaffinity_np(pthread_self(), sizeof set, &set); error != 0)
    ops::log(ops::Level::warning, "shard_not_pinned",
             {{"shard", index_}, {"why", std::generic_category().message(error)}});
  try {
    Body body(config_, pg_, index_, listening_fd_, control_fd_);
    body.run();
  } catch (...) {
    failure_ = std::current_exception();
    failed_ = true;
  }
  eventfd_write(ended_fd_, 1);
}

void Shard::leave() {
  eventfd_write(control_fd_, leave_order);
}
void Shard::drain() {
  eventfd_write(control_fd_, drain_order);
}
void Shard::cancel() {
  eventfd_write(control_fd_, cancel_order);
}

void Shard::join() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace ringpost
