#include "src/app/routes.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <simdjson.h>

#include "proto/http/target.h"
#include "src/app/openapi.h"
#include "src/app/user_json.h"
#include "src/ops/log.h"
#include "src/ops/prometheus.h"

namespace ringpost::app {

using proto::http::Method;
using proto::http::Parameter;
using proto::http::Request;
using proto::http::Status;

namespace {

constexpr std::string_view json_type = "application/json";
constexpr std::string_view users_path = "/users", user_prefix = "/users/", health_path = "/healthz",
                           readiness_path = "/readyz", metrics_path = "/metrics",
                           openapi_path = "/openapi.json";
constexpr uint64_t default_limit = 50, most_limit = 200;
// What is around a page's users, and every answer that has none.
constexpr size_t small_answer = 128;
// Lines about failed queries a second and shard: a table that is gone fails every request.
constexpr uint64_t most_failures_logged = 10;

void send(http::Reply& reply, Status status, std::string_view body, std::string_view fields = {}) {
  reply.send(status, json_type, body, fields);
}
void send_ok(http::Reply& reply) {
  send(reply, Status::ok, R"({"status":"ok"})");
}
void send_not_found(http::Reply& reply) {
  send(reply, Status::not_found, R"({"error":"not_found"})");
}
void send_bad_request(http::Reply& reply, std::string_view body) {
  send(reply, Status::bad_request, body);
}
void send_unavailable(http::Reply& reply) {
  send(reply, Status::service_unavailable, R"({"error":"unavailable"})", "Retry-After: 1\r\n");
}
void send_internal(http::Reply& reply) {
  send(reply, Status::internal_server_error, R"({"error":"internal"})");
}

// What a path names.
struct Resource {
  // Their numbers are those of route_patterns, from 1.
  enum class Kind : uint8_t { none, user, users, health, readiness, metrics, openapi };
  Kind kind = Kind::none;
  std::string_view id{};  // of a user, as it came
};

Resource resource_of(std::string_view path) {
  using enum Resource::Kind;
  if (path.starts_with(user_prefix)) {
    const std::string_view id = path.substr(user_prefix.size());
    if (id.empty() || id.find('/') != std::string_view::npos) return {};
    return {user, id};
  }
  if (path == users_path) return {users};
  if (path == health_path) return {health};
  if (path == readiness_path) return {readiness};
  if (path == metrics_path) return {metrics};
  if (path == openapi_path) return {openapi};
  return {};
}
bool is_allowed(const Request& request) {
  return request.known_method == Method::get || request.known_method == Method::head;
}
// The path of a target whose escapes are all well-formed, decoded; else nothing. Few targets have
// any: they are looked for once.
std::optional<std::string_view> decoded_path(std::string_view target,
                                             const proto::http::Target& parts,
                                             proto::wire::Buffer& space) {
  if (target.find('%') == std::string_view::npos) return parts.path;
  if (!proto::http::well_escaped(parts.path) || !proto::http::well_escaped(parts.query))
    return std::nullopt;
  return proto::http::percent_decode(parts.path, space);
}

// Appends a page of these rows, about `expected` bytes; returns how many users it has.
size_t write_page(proto::wire::Buffer& out, size_t expected, proto::pg::Rows<Listed>& rows,
                  int64_t limit, int64_t offset) {
  proto::json::Writer json(out, expected);
  json.raw("{\"items\":[");
  int64_t total = 0;
  size_t items = 0;
  while (const std::optional<Listed> listed = rows.next()) {
    total = listed->total;
    if (!listed->id) continue;
    if (items++ != 0) json.raw(",");
    write_user(json, *listed);
  }
  json.raw("],\"limit\":")
      .number(limit)
      .raw(",\"offset\":")
      .number(offset)
      .raw(",\"total\":")
      .number(total)
      .raw("}");
  return items;
}

// The parameter as a number from `least` to `most`, or `otherwise` when it is not there.
std::optional<uint64_t> number(const Parameter& parameter, uint64_t otherwise, uint64_t least,
                               uint64_t most, proto::wire::Buffer& space) {
  if (parameter.found == Parameter::Found::no) return otherwise;
  if (parameter.found == Parameter::Found::repeatedly) return std::nullopt;
  const auto value =
      proto::http::parse_decimal(proto::http::percent_decode(parameter.value, space), most);
  return value && *value >= least ? value : std::nullopt;
}

}  // namespace

void Routes::handle(const Request& request, http::Reply reply) {
  const proto::http::Target target = proto::http::split_target(request.target);
  const auto path = decoded_path(request.target, target, path_);
  if (!path) return send_bad_request(reply, R"({"error":"invalid_escape"})");
  const Resource resource = resource_of(*path);
  if (resource.kind == Resource::Kind::none) return send_not_found(reply);
  reply.route(static_cast<uint16_t>(resource.kind));
  if (!is_allowed(request))
    return send(reply, Status::method_not_allowed, R"({"error":"method_not_allowed"})",
                "Allow: GET, HEAD\r\n");
  http::Session& session = reply.session();
  switch (resource.kind) {
    case Resource::Kind::none:
      break;
    case Resource::Kind::user: {
      const auto uuid = proto::pg::parse_uuid(resource.id);
      if (!uuid) return send_bad_request(reply, R"({"error":"invalid_id"})");
      return session.spawn(get_user(*uuid, std::move(reply)));
    }
    case Resource::Kind::users:
      return users(target.query, std::move(reply));
    case Resource::Kind::health:
      return send_ok(reply);
    case Resource::Kind::readiness:
      if (environment_.leaving) return send_unavailable(reply);
      return session.spawn(get_ready(std::move(reply)));
    case Resource::Kind::metrics:
      return get_metrics(std::move(reply));
    case Resource::Kind::openapi:
      return reply.send(Status::ok, json_type, openapi);
  }
}

// Any that is not refused: nothing is done with bodies, but they are no error either.
bool Routes::takes_body(const Request& request) {
  const proto::http::Target target = proto::http::split_target(request.target);
  const auto path = decoded_path(request.target, target, path_);
  return path && resource_of(*path).kind != Resource::Kind::none && is_allowed(request);
}

// Of a page, unless it is surely none: targets are compared as they came.
size_t Routes::answer_bytes(const Request& request) {
  if (request.target.starts_with(user_prefix)) return user_bytes_;
  const proto::http::Target target = proto::http::split_target(request.target);
  if (target.path == health_path || target.path == readiness_path) return small_answer;
  if (target.path == metrics_path) return metrics_bytes_;
  if (target.path == openapi_path) return openapi.size();
  return limit_in(target.query).value_or(0) * user_bytes_ + small_answer;
}

void Routes::turn_away(http::Reply reply) {
  send_unavailable(reply);
}

std::optional<uint64_t> Routes::limit_in(std::string_view query) {
  return number(proto::http::find_parameter(query, "limit", name_), default_limit, 1, most_limit,
                value_);
}

void Routes::users(std::string_view query, http::Reply reply) {
  const auto limit = limit_in(query);
  if (!limit) return send_bad_request(reply, R"({"error":"invalid_limit"})");
  const auto offset = number(proto::http::find_parameter(query, "offset", name_), 0, 0,
                             std::numeric_limits<int64_t>::max(), value_);
  if (!offset) return send_bad_request(reply, R"({"error":"invalid_offset"})");
  http::Session& session = reply.session();
  session.spawn(
      get_page(static_cast<int64_t>(*limit), static_cast<int64_t>(*offset), std::move(reply)));
}

io::Until Routes::until(http::Reply& reply, std::chrono::milliseconds timeout) {
  return reply.session().until(reply.session().asked() + timeout);
}

void Routes::refuse(const pg::Error& error, std::string_view what, http::Reply reply) {
  if (error.outage()) return send_unavailable(reply);
  if (failures_of_ != pool_.reactor().unix_seconds()) {
    if (failures_ > most_failures_logged)
      ops::log(ops::Level::error, "queries_failed",
               {{"not_logged", failures_ - most_failures_logged}});
    failures_of_ = pool_.reactor().unix_seconds();
    failures_ = 0;
  }
  if (++failures_ <= most_failures_logged)
    ops::log(ops::Level::error, "query_failed",
             {{"statement", what},
              {"sqlstate", error.server ? error.server->sqlstate : "-"},
              {"why", error.message()}});
  send_internal(reply);
}

// Ends an answer of rows that has begun. All that is not text in its body is ASCII, so that it is
// UTF-8 exactly when each text is.
void Routes::end_rows(const proto::pg::StatementDescription& statement, bool malformed,
                      const http::Reply::Draft& draft, http::Reply& reply) {
  const std::string_view body = draft.body();
  if (!malformed && simdjson::validate_utf8(body.data(), body.size())) return reply.end(draft);
  reply.drop(draft);
  refuse(malformed ? pg::undecodable(statement) : pg::not_utf8(statement), statement.name,
         std::move(reply));
}

io::Task<void> Routes::get_user(proto::pg::Uuid id, http::Reply reply) {
  auto query = pool_.query(find_user, until(reply, environment_.request_timeout), id);
  auto rows = co_await query;
  if (!rows) co_return refuse(rows.error(), find_user.name, std::move(reply));
  const std::optional<User> user = rows->next();
  if (!user) {
    if (rows->malformed())
      co_return refuse(pg::undecodable(find_user), find_user.name, std::move(reply));
    co_return send_not_found(reply);
  }
  const auto draft = reply.begin(Status::ok, json_type, user_bytes_);
  {
    proto::json::Writer json(*draft.out);
    write_user(json, *user);
  }
  end_rows(find_user, false, draft, reply);
}

io::Task<void> Routes::get_page(int64_t limit, int64_t offset, http::Reply reply) {
  auto query = pool_.query(list_users, until(reply, environment_.request_timeout), limit, offset);
  auto rows = co_await query;
  if (!rows) co_return refuse(rows.error(), list_users.name, std::move(reply));
  const size_t expected = static_cast<size_t>(limit) * user_bytes_ + small_answer;
  const auto draft = reply.begin(Status::ok, json_type, expected);
  const size_t items = write_page(*draft.out, expected, *rows, limit, offset);
  if (items != 0)
    user_bytes_ = std::max(draft.body().size() / items, user_bytes_ - user_bytes_ / 64);
  end_rows(list_users, rows->malformed(), draft, reply);
}

void Routes::get_metrics(http::Reply reply) {
  const std::string text = environment_.metrics();
  metrics_bytes_ = text.size();
  reply.send(Status::ok, ops::PrometheusText::content_type, text);
}

io::Task<void> Routes::get_ready(http::Reply reply) {
  auto query = pool_.query(ping, until(reply, environment_.ready_timeout));
  const auto rows = co_await query;
  if (rows) co_return send_ok(reply);
  send_unavailable(reply);
}

}  // namespace ringpost::app
