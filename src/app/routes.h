// Routes: the users API. Which request means what, and what it is answered.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "proto/http/request.h"
#include "src/app/users.h"
#include "src/http/handler.h"
#include "src/http/session.h"
#include "src/pg/pool.h"
#include "src/service/app.h"

namespace ringpost::app {

// All that the pool is asked for.
inline constexpr std::array<const proto::pg::StatementDescription*, 3> statements{
    &find_user, &list_users, &ping};

// By their numbers in the metrics, from 1.
inline constexpr std::array<std::string_view, 6> route_patterns{
    "/users/{id}", "/users", "/healthz", "/readyz", "/metrics", "/openapi.json"};

class Routes final : public http::Handler {
 public:
  explicit Routes(const service::Environment& environment)
      : pool_(environment.pool), environment_(environment) {}

  void handle(const proto::http::Request& request, http::Reply reply) override;
  bool takes_body(const proto::http::Request& request) override;
  size_t answer_bytes(const proto::http::Request& request) override;
  void turn_away(http::Reply reply) override;
  size_t routes() const override { return route_patterns.size(); }

 private:
  void users(std::string_view query, http::Reply reply);
  std::optional<uint64_t> limit_in(std::string_view query);

  io::Task<void> get_user(proto::pg::Uuid id, http::Reply reply);
  io::Task<void> get_page(int64_t limit, int64_t offset, http::Reply reply);
  io::Task<void> get_ready(http::Reply reply);
  void get_metrics(http::Reply reply);

  void end_rows(const proto::pg::StatementDescription& statement, bool malformed,
                const http::Reply::Draft& draft, http::Reply& reply);
  io::Until until(http::Reply& reply, std::chrono::milliseconds timeout);
  void refuse(const pg::Error& error, std::string_view what, http::Reply reply);

  pg::Pool& pool_;
  const service::Environment environment_;
  size_t metrics_bytes_ = 64 * 1024;  // what they took last
  size_t user_bytes_ = 512;  // what a user takes in JSON: the largest average of a page lately
  int64_t failures_of_ = 0;  // the second that these count failed queries of, for the log
  uint64_t failures_ = 0;
  proto::wire::Buffer path_, name_, value_;  // for decoding what is escaped
};

}  // namespace ringpost::app
