// Metrics: what a shard's HTTP server has answered, by route, method and status. Its thread writes,
// any other may read (io/counter.h).
//
// A route is a number of the handler's (Reply::route); 0 is none. Of what never happened there is
// no histogram, so memory goes with what is used: bounded by routes, methods and statuses, never by
// what clients send.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "proto/http/request.h"
#include "proto/http/status.h"
#include "src/io/counter.h"
#include "src/io/latency_histogram.h"

namespace ringpost::http {

// A route and a method, of which requests have one each.
using Series = uint16_t;

class Metrics {
 public:
  using Method = proto::http::Method;
  using Status = proto::http::Status;
  static constexpr uint16_t methods = static_cast<uint16_t>(Method::other) + 1;

  // `routes`: how many there are beside none.
  explicit Metrics(size_t routes) : rows_((routes + 1) * methods) {}

  static constexpr Series series(uint16_t route, Method method) {
    return static_cast<Series>(route * methods + static_cast<uint16_t>(method));
  }

  // A request of `series` was answered so long after it had come.
  void answered(Series series, Status status, io::Duration took) {
    rows_[series][slot(status)].observe(took);
    active.set(active.value() - 1);
  }

  // Calls each(route, method, status, histogram) for all that has happened. On any thread.
  template <class Each>
  void for_each(Each each) const {
    for (size_t row = 0; row < rows_.size(); ++row)
      for (size_t i = 0; i < statuses.size(); ++i)
        if (const io::LatencyHistogram* histogram = rows_[row][i].get())
          each(row / methods, static_cast<Method>(row % methods), statuses[i], *histogram);
  }

  io::Gauge active;         // requests that were taken and not yet answered
  io::Gauge connections;    // open now
  io::Counter accepted;     // connections
  io::Counter refused;      // of those, closed at once as too many were of their address
  io::Counter turned_away;  // requests, as the memory for answers was used up

 private:
  // Those that end a request.
  static constexpr std::array statuses{Status::ok,
                                       Status::created,
                                       Status::accepted,
                                       Status::no_content,
                                       Status::moved_permanently,
                                       Status::found,
                                       Status::see_other,
                                       Status::temporary_redirect,
                                       Status::permanent_redirect,
                                       Status::bad_request,
                                       Status::unauthorized,
                                       Status::forbidden,
                                       Status::not_found,
                                       Status::method_not_allowed,
                                       Status::not_acceptable,
                                       Status::request_timeout,
                                       Status::conflict,
                                       Status::gone,
                                       Status::precondition_failed,
                                       Status::content_too_large,
                                       Status::uri_too_long,
                                       Status::unsupported_media_type,
                                       Status::expectation_failed,
                                       Status::unprocessable_content,
                                       Status::too_many_requests,
                                       Status::request_header_fields_too_large,
                                       Status::internal_server_error,
                                       Status::not_implemented,
                                       Status::service_unavailable,
                                       Status::http_version_not_supported};
  static constexpr unsigned least = 100, most = 599;
  static constexpr std::array<uint8_t, most - least + 1> slots = [] {
    std::array<uint8_t, most - least + 1> all{};
    for (size_t i = 0; i < statuses.size(); ++i)
      all[static_cast<unsigned>(statuses[i]) - least] = static_cast<uint8_t>(i);
    return all;
  }();
  static size_t slot(Status status) { return slots[static_cast<unsigned>(status) - least]; }

  using Row = std::array<io::LazyLatencyHistogram, statuses.size()>;
  std::vector<Row> rows_;
};

}  // namespace ringpost::http
