#include "src/service/shard.h"

#include <random>

#include <sys/eventfd.h>

#include "src/io/awaited_operation.h"
#include "src/ops/log.h"

namespace ringpost::service {

void give_order(int control_fd, Order order) {
  eventfd_write(control_fd, static_cast<uint64_t>(order));
}

Shard::Shard(const App& app, const Config& config, const pg::Options& pg, pg::Spread& spread,
             Scrape& scrape, unsigned index, const ShardSockets& sockets, int control_fd,
             const ReceiveBuffers& buffers, const std::atomic<uint64_t>* access_log_every)
    : reactor_(config.turn_wait),
      http_buffers_(reactor_.ring(), 0, buffers.http_count, buffers.http_bytes),
      log_(index),
      handler_(make_handler(app, config, pg, spread, scrape, buffers)),
      config_(config),
      access_log_every_(access_log_every),
      context_(reactor_, http_buffers_, config.http, *handler_),
      listener_(context_, sockets.listening),
      control_fd_(control_fd),
      enlisted_(scrape, {.index = index,
                         .reactor = reactor_,
                         .http_buffers = http_buffers_,
                         .pg_buffers = pg_buffers_ ? &*pg_buffers_ : nullptr,
                         .http = context_.metrics(),
                         .pool = pool_ ? &*pool_ : nullptr}) {
  reactor_.add(http_buffers_);
  if (pg_buffers_) reactor_.add(*pg_buffers_);
  if (sockets.own != -1) listener_.adopt(sockets.own);
  set_access_log();
}

// Connections that are open already have none, when there was none; and end theirs when it ends.
void Shard::set_access_log() {
  const uint64_t every =
      access_log_every_ != nullptr ? access_log_every_->load() : config_.access_log_every;
  if (every != 0 && access_log_ == nullptr)
    access_log_ = std::make_unique<AccessLines>(reactor_, config_.log_format, every,
                                                uint64_t{std::random_device{}()} << 32);
  if (access_log_ != nullptr) access_log_->set_every(every);
  context_.set_access_log(every != 0 ? access_log_.get() : nullptr);
}

// With the pool that it is lent.
std::unique_ptr<http::Handler> Shard::make_handler(const App& app, const Config& config,
                                                   const pg::Options& pg, pg::Spread& spread,
                                                   Scrape& scrape, const ReceiveBuffers& buffers) {
  if (config.database) {
    pg_buffers_.emplace(reactor_.ring(), 1, buffers.pg_count, buffers.pg_bytes);
    pool_.emplace(reactor_, *pg_buffers_, pg, spread, app.statements(), log_);
  }
  return app.make_handler({.reactor = reactor_,
                           .pool = pool_ ? &*pool_ : nullptr,
                           .request_timeout = config.request_timeout,
                           .ready_timeout = config.ready_timeout,
                           .metrics = [&scrape] { return scrape.text(); },
                           .leaving = leaving_});
}

io::Task<void> Shard::live() {
  io::Scope scope(reactor_);
  if (pool_) scope.spawn(pool_->run());
  scope.spawn(serve(scope));
  co_await obey(scope.until());
  co_await scope.join();
}

io::Task<void> Shard::serve(io::Scope& scope) {
  co_await listener_.run();
  if (pool_) pool_->stop();
  scope.cancel();  // no more orders are needed
}

io::Task<void> Shard::obey(io::Until until) {
  // How often each was given is its digit.
  const auto has = [](uint64_t orders, Order order) {
    return orders / static_cast<uint64_t>(order) % static_cast<uint64_t>(Order::drain) != 0;
  };
  for (;;) {
    uint64_t orders = 0;
    auto reading = io::AwaitedOperation(reactor_, until, "read orders", [&](io_uring_sqe* entry) {
      io_uring_prep_read(entry, control_fd_, &orders, sizeof orders, 0);
    });
    const io::Result<int> read = co_await reading;
    if (!read) co_return;
    if (has(orders, Order::leave)) leaving_ = true;
    if (has(orders, Order::reload)) set_access_log();
    if (has(orders, Order::drain)) listener_.drain();
    if (has(orders, Order::hand_over)) context_.set_drain_grace(config_.takeover_grace);
    if (has(orders, Order::share) || has(orders, Order::hand_over))
      listener_.drain(http::Listener::Backlog::leave);
    if (has(orders, Order::cancel)) listener_.cancel();
  }
}

void Shard::PoolLog::connected(std::string_view address, std::string_view server_version) {
  ops::log(ops::Level::info, "db_connected",
           {{"shard", shard_}, {"address", address}, {"postgresql", server_version}});
}
void Shard::PoolLog::connect_failed(std::string_view why) {
  ops::log(ops::Level::warning, "db_connect_failed", {{"shard", shard_}, {"why", why}});
}
void Shard::PoolLog::connection_lost(std::string_view why, size_t in_flight) {
  ops::log(ops::Level::warning, "db_connection_lost",
           {{"shard", shard_}, {"why", why}, {"in_flight", in_flight}});
}
void Shard::PoolLog::connection_retired(std::string_view address, std::string_view why) {
  ops::log(ops::Level::info, "db_connection_retired",
           {{"shard", shard_}, {"address", address}, {"why", why}});
}
// A function may raise any number of notices, for each request.
void Shard::PoolLog::notice(std::string_view severity, std::string_view message) {
  ops::log_limited(ops::Level::info, "db_notice",
                   {{"shard", shard_}, {"severity", severity}, {"message", message}});
}
void Shard::PoolLog::statement_failed(std::string_view statement, std::string_view why) {
  ops::log(ops::Level::error, "db_statement_failed",
           {{"shard", shard_}, {"statement", statement}, {"why", why}});
}
void Shard::PoolLog::statements_not_kept(std::string_view why) {
  ops::log(ops::Level::warning, "db_statements_not_kept", {{"shard", shard_}, {"why", why}});
}

}  // namespace ringpost::service
