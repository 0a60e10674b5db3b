#include "src/service/shard.h"

#include <sys/eventfd.h>

#include "src/io/awaited_operation.h"
#include "src/ops/log.h"

namespace ringpost::service {

void give_order(int control_fd, Order order) {
  eventfd_write(control_fd, static_cast<uint64_t>(order));
}

Shard::Shard(const App& app, const Config& config, const pg::Options& pg, pg::Spread& spread,
             Scrape& scrape, unsigned index, int listening_fd, int control_fd,
             const ReceiveBuffers& buffers)
    : reactor_(config.turn_wait),
      http_buffers_(reactor_.ring(), 0, buffers.http_count, buffers.http_bytes),
      log_(index),
      handler_(make_handler(app, config, pg, spread, scrape, buffers)),
      context_(reactor_, http_buffers_, config.http, *handler_),
      listener_(context_, listening_fd),
      control_fd_(control_fd),
      enlisted_(scrape, {.index = index,
                         .reactor = reactor_,
                         .http_buffers = http_buffers_,
                         .pg_buffers = pg_buffers_ ? &*pg_buffers_ : nullptr,
                         .http = context_.metrics(),
                         .pool = pool_ ? &*pool_ : nullptr}) {
  reactor_.add(http_buffers_);
  if (pg_buffers_) reactor_.add(*pg_buffers_);
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
  constexpr auto drain = static_cast<uint64_t>(Order::drain);
  constexpr auto cancel = static_cast<uint64_t>(Order::cancel);
  for (;;) {
    uint64_t orders = 0;
    auto reading = io::AwaitedOperation(reactor_, until, "read orders", [&](io_uring_sqe* entry) {
      io_uring_prep_read(entry, control_fd_, &orders, sizeof orders, 0);
    });
    const io::Result<int> read = co_await reading;
    if (!read) co_return;
    if (orders % drain != 0) leaving_ = true;
    if (orders % cancel >= drain) listener_.drain();
    if (orders >= cancel) listener_.cancel();
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
void Shard::PoolLog::notice(std::string_view severity, std::string_view message) {
  const auto now = std::chrono::steady_clock::now();
  if (now - second_ >= std::chrono::seconds(1)) {
    if (notices_ > most_notices)
      ops::log(ops::Level::info, "db_notices_not_logged",
               {{"shard", shard_}, {"count", notices_ - most_notices}});
    second_ = now;
    notices_ = 0;
  }
  if (++notices_ > most_notices) return;
  ops::log(ops::Level::info, "db_notice",
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
