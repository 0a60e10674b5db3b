// Common: the routes that every service has: whether it lives, whether it is ready, its metrics,
// its document.
#pragma once

#include <string_view>
#include <tuple>

#include "src/ops/prometheus.h"
#include "src/service/answers.h"
#include "src/service/route.h"
#include "src/service/service.h"

namespace ringpost::service {

class Common {
 public:
  // All outlive it; `document` is what /openapi.json answers.
  Common(const Environment& environment, Service& service, std::string_view document)
      : environment_(environment), service_(service), document_(document) {}

  void health(http::Reply reply) { send_ok(reply); }

  io::Task<void> readiness(http::Reply reply) {
    if (environment_.leaving) co_return send_unavailable(reply);
    auto asking = service_.ready(reply.session().until(reply.asked() + environment_.ready_timeout));
    const bool ready = co_await std::move(asking);
    ready ? send_ok(reply) : send_unavailable(reply);
  }

  void metrics(http::Reply reply) {
    const std::string text = environment_.metrics();
    metrics_bytes_ = text.size();
    reply.send(proto::http::Status::ok, ops::PrometheusText::content_type, text);
  }
  size_t metrics_bytes() const { return metrics_bytes_; }

  void document(http::Reply reply) { reply.send(proto::http::Status::ok, json_type, document_); }
  size_t document_bytes() const { return document_.size(); }

 private:
  const Environment& environment_;
  Service& service_;
  std::string_view document_;
  size_t metrics_bytes_ = 64 * 1024;  // what they took last
};

inline constexpr auto common_routes = std::tuple{
    get<"/healthz", &Common::health>(
        {.id = "getHealth",
         .summary = "Whether the process lives; PostgreSQL is not asked",
         .answers = {{{proto::http::Status::ok, "It does.", "Status"}}}}),
    get<"/readyz", &Common::readiness>(
        {.id = "getReadiness",
         .summary = "Whether requests can be answered now",
         .answers = {{{proto::http::Status::ok, "They can.", "Status"},
                      {proto::http::Status::service_unavailable,
                       "PostgreSQL can't be asked, or the process is about to end."}}}}),
    get<"/metrics", &Common::metrics, &Common::metrics_bytes>(
        {.id = "getMetrics",
         .summary = "What the server has done, for Prometheus",
         .answers = {{{proto::http::Status::ok, "Text format, version 0.0.4.",
                       R"({"type":"string"})", "text/plain"}}}}),
    get<"/openapi.json", &Common::document, &Common::document_bytes>(
        {.id = "getOpenapi",
         .summary = "This document",
         .answers = {{{proto::http::Status::ok, "OpenAPI 3.1.", R"({"type":"object"})"}}}})};

}  // namespace ringpost::service
