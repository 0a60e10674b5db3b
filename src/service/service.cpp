#include "src/service/service.h"

// To tell in one pass whether a body is UTF-8.
#include <simdjson.h>

#include "proto/wire/ascii.h"
#include "src/ops/log.h"
#include "src/service/ping.h"

namespace ringpost::service {

namespace {
bool is_utf8(std::string_view text) {
  text.remove_prefix(proto::wire::ascii_prefix(text));
  return text.empty() || simdjson::validate_utf8(text.data(), text.size());
}
}  // namespace

io::Task<bool> Service::ready(io::Until until) {
  if (pool_ == nullptr) co_return true;
  auto query = pool().query(ping, until);
  const auto rows = co_await query;
  co_return rows.has_value();
}

void Service::refuse(const pg::Error& error, const proto::pg::StatementDescription& statement,
                     http::Reply reply) {
  if (error.outage()) return send_unavailable(reply);
  ops::log_limited(ops::Level::error, "query_failed",
                   {{"statement", statement.name},
                    {"sqlstate", error.server ? error.server->sqlstate : "-"},
                    {"why", error.message()}});
  send_internal(reply);
}

void Service::end_rows(const proto::pg::StatementDescription& statement, bool malformed,
                       const http::Reply::Draft& draft, http::Reply& reply) {
  if (!malformed && is_utf8(draft.body())) return reply.end(draft);
  reply.drop(draft);
  refuse(malformed ? pg::undecodable(statement) : pg::not_utf8(statement), statement,
         std::move(reply));
}

void Service::end_text(const http::Reply::Draft& draft, http::Reply& reply) {
  if (is_utf8(draft.body())) return reply.end(draft);
  reply.drop(draft);
  send_internal(reply);
}

}  // namespace ringpost::service
