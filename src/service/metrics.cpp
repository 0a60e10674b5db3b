#include "src/service/metrics.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>
#include <utility>

#include "src/ops/process.h"
#include "src/ops/prometheus.h"

namespace ringpost::service {

namespace {

using ops::PrometheusText;
using Type = PrometheusText::Type;
using Labels = PrometheusText::Labels;

// One histogram of all shards.
struct Sum {
  std::array<uint64_t, io::LatencyHistogram::buckets> counts{};
  double sum_s = 0;

  void add(const io::LatencyHistogram& histogram) {
    for (size_t i = 0; i < counts.size(); ++i) counts[i] += histogram.count(i);
    sum_s += histogram.sum_s();
  }
};

constexpr std::string_view method_names[] = {"GET",     "HEAD",    "POST",  "PUT",   "DELETE",
                                             "CONNECT", "OPTIONS", "TRACE", "PATCH", "_OTHER"};
static_assert(std::size(method_names) == http::Metrics::methods);

std::string_view failure_name(pg::Error::Kind kind) {
  using enum pg::Error::Kind;
  switch (kind) {
    case unavailable:
      return "unavailable";
    case timed_out:
      return "timed_out";
    case overloaded:
      return "overloaded";
    case cancelled:
      return "cancelled";
    case server:
      return "server";
    case mismatch:
      return "mismatch";
    case too_large:
      return "too_large";
    case rolled_back:
      return "rolled_back";
  }
  return "_OTHER";
}

std::vector<double> bounds() {
  std::vector<double> all(io::LatencyHistogram::buckets - 1);
  for (size_t i = 0; i < all.size(); ++i) all[i] = io::LatencyHistogram::bound(i);
  return all;
}

}  // namespace

// One scrape, family by family, under the lock.
class Scrape::Writer {
 public:
  Writer(const Scrape& scrape, std::string& out) : scrape_(scrape), text_(out) {}

  void write() {
    requests();
    if (scrape_.database_) {
      operations();
      connections();
    }
    reactors();
    process();
  }

 private:
  void requests() {
    std::map<std::tuple<size_t, size_t, unsigned>, Sum> sums;
    for (const Enlisted* each : scrape_.shards_)
      each->shard_.http.for_each([&sums](size_t route, proto::http::Method method,
                                         proto::http::Status status,
                                         const io::LatencyHistogram& histogram) {
        sums[{route, static_cast<size_t>(method), static_cast<unsigned>(status)}].add(histogram);
      });
    text_.family("http_server_request_duration_seconds", Type::histogram,
                 "From the turn in which a request had come whole to the one that answered it.");
    for (const auto& [key, sum] : sums) {
      const auto& [route, method, status] = key;
      const std::string code = std::to_string(status);
      Labels labels{{"http_request_method", method_names[method]},
                    {"http_response_status_code", code},
                    {"url_scheme", "http"}};
      if (route != 0) labels.emplace_back("http_route", scrape_.routes_[route - 1]);
      if (status >= 500) labels.emplace_back("error_type", code);
      text_.histogram(labels, bounds_, sum.counts, sum.sum_s);
    }
    gauge("ringpost_http_active_requests", "Requests that were taken and not yet answered.",
          [](const Shard& shard) { return shard.http.active.value(); });
    gauge("ringpost_http_connections", "Connections of clients that are open.",
          [](const Shard& shard) { return shard.http.connections.value(); });
    counter("ringpost_http_connections_accepted_total", "Connections of clients.",
            [](const Shard& shard) { return shard.http.accepted.value(); });
    text_.family("ringpost_http_connections_refused_total", Type::counter,
                 "Connections of clients that were closed at once, by why.");
    for_each_shard([this](const Shard& shard, std::string_view index) {
      text_.sample({{"shard", index}, {"reason", "address_limit"}}, shard.http.refused.value());
    });
    counter("ringpost_http_turned_away_total",
            "Requests that were answered 503 as the memory for answers was used up.",
            [](const Shard& shard) { return shard.http.turned_away.value(); });
  }

  void operations() {
    // Without a failure first: 0.
    std::map<std::pair<size_t, size_t>, Sum> sums;
    for (const Enlisted* each : scrape_.shards_)
      each->shard_.pool->metrics().for_each([&sums](size_t statement,
                                                    std::optional<pg::Error::Kind> failure,
                                                    const io::LatencyHistogram& histogram) {
        sums[{statement, failure ? 1 + static_cast<size_t>(*failure) : 0}].add(histogram);
      });
    text_.family("db_client_operation_duration_seconds", Type::histogram,
                 "Of statements, from being asked for to their end; error_type: what it was.");
    for (const auto& [key, sum] : sums) {
      Labels labels{{"db_system_name", "postgresql"}, {"db_namespace", scrape_.dbname_}};
      // Those that were made at run time have no name.
      if (key.first < scrape_.statements_.size())
        labels.emplace_back("db_query_summary", scrape_.statements_[key.first]->name);
      if (key.second != 0)
        labels.emplace_back("error_type",
                            failure_name(static_cast<pg::Error::Kind>(key.second - 1)));
      text_.histogram(labels, bounds_, sum.counts, sum.sum_s);
    }
    counter("ringpost_pg_queries_total", "Queries that were sent, again ones too.",
            [](const Shard& shard) { return shard.pool->metrics().sent.value(); });
    counter("ringpost_pg_syncs_total",
            "Syncs that were sent: queries over these is a group's size.",
            [](const Shard& shard) { return shard.pool->metrics().syncs.value(); });
    counter("ringpost_pg_asked_again_total",
            "Reads that were asked again, after a lost session or a conflict.",
            [](const Shard& shard) { return shard.pool->metrics().asked_again.value(); });
    text_.family("ringpost_pg_in_flight", Type::gauge,
                 "Queries that are in line or in flight, by what their statement takes.");
    for_each_shard([this](const Shard& shard, std::string_view index) {
      text_.sample({{"shard", index}, {"kind", "quick"}},
                   shard.pool->meter().in_flight(pg::Kind::quick));
      text_.sample({{"shard", index}, {"kind", "slow"}},
                   shard.pool->meter().in_flight(pg::Kind::slow));
    });
    text_.family("ringpost_pg_active_backends", Type::gauge,
                 "Connections of a shard that were found to help, by what statements take.");
    text_.sample({{"kind", "quick"}}, uint64_t{scrape_.spread_.width(pg::Kind::quick)});
    text_.sample({{"kind", "slow"}}, uint64_t{scrape_.spread_.width(pg::Kind::slow)});
  }

  void connections() {
    const auto of_pool = [this](std::string_view name, Type type, std::string_view help,
                                auto value) {
      text_.family(name, type, help);
      for_each_shard([&](const Shard& shard, std::string_view index) {
        text_.sample({{"db_client_connection_pool_name", index}}, value(shard));
      });
    };
    text_.family("db_client_connection_count", Type::gauge, "Connections to PostgreSQL.");
    for_each_shard([this](const Shard& shard, std::string_view index) {
      const uint64_t used = shard.pool->metrics().used.value();
      const uint64_t open = std::max(shard.pool->metrics().open.value(), used);
      text_.sample(
          {{"db_client_connection_pool_name", index}, {"db_client_connection_state", "used"}},
          used);
      text_.sample(
          {{"db_client_connection_pool_name", index}, {"db_client_connection_state", "idle"}},
          open - used);
    });
    of_pool("db_client_connection_max", Type::gauge, "Connections that a shard may open.",
            [](const Shard& shard) { return uint64_t{shard.pool->options().max_connections}; });
    of_pool("db_client_connection_idle_min", Type::gauge, "Connections that a shard keeps open.",
            [](const Shard& shard) { return uint64_t{shard.pool->options().min_connections}; });
    of_pool("db_client_connection_pending_requests", Type::gauge,
            "Queries that wait for a connection.",
            [](const Shard& shard) { return shard.pool->metrics().waiting.value(); });
    counter("ringpost_pg_sessions_total", "Sessions with PostgreSQL that began.",
            [](const Shard& shard) { return shard.pool->metrics().connected.value(); });
    counter("ringpost_pg_sessions_lost_total", "Those that ended by themselves.",
            [](const Shard& shard) { return shard.pool->metrics().lost.value(); });
    counter("ringpost_pg_connect_failures_total", "Attempts to open one that failed.",
            [](const Shard& shard) { return shard.pool->metrics().connect_failed.value(); });
  }

  void reactors() {
    counter("ringpost_reactor_turns_total", "Turns of the loop, a system call each.",
            [](const Shard& shard) { return shard.reactor.turns().value(); });
    counter("ringpost_reactor_completions_total", "What io_uring has completed.",
            [](const Shard& shard) { return shard.reactor.completions().value(); });
    text_.family("ringpost_receive_buffers_exhausted_total", Type::counter,
                 "How often bytes waited as no receive buffer was free.");
    for_each_shard([this](const Shard& shard, std::string_view index) {
      text_.sample({{"shard", index}, {"of", "http"}}, shard.http_buffers.exhausted().value());
      if (shard.pg_buffers != nullptr)
        text_.sample({{"shard", index}, {"of", "pg"}}, shard.pg_buffers->exhausted().value());
    });
  }

  void process() {
    const ops::ProcessFigures figures = ops::process_figures();
    const auto one = [this](std::string_view name, Type type, std::string_view help, double value) {
      text_.family(name, type, help);
      text_.sample({}, value);
    };
    one("process_cpu_seconds_total", Type::counter, "CPU time, of user and system.",
        figures.cpu_seconds);
    one("process_resident_memory_bytes", Type::gauge, "Memory that is in RAM.",
        static_cast<double>(figures.resident_bytes));
    one("process_open_fds", Type::gauge, "Open descriptors.",
        static_cast<double>(figures.open_fds));
    one("process_max_fds", Type::gauge, "The limit of open descriptors.",
        static_cast<double>(figures.max_fds));
    one("process_start_time_seconds", Type::gauge, "Since 1970.", figures.start_seconds);
    text_.family("ringpost_build_info", Type::gauge, "Always 1.");
    text_.sample({{"version", RINGPOST_VERSION}}, uint64_t{1});
  }

  template <class Each>
  void for_each_shard(Each each) {
    for (const Enlisted* enlisted : scrape_.shards_) {
      const std::string index = std::to_string(enlisted->shard_.index);
      each(enlisted->shard_, std::string_view(index));
    }
  }
  template <class Value>
  void by_shard(std::string_view name, Type type, std::string_view help, Value value) {
    text_.family(name, type, help);
    for_each_shard([&](const Shard& shard, std::string_view index) {
      text_.sample({{"shard", index}}, value(shard));
    });
  }
  template <class Value>
  void counter(std::string_view name, std::string_view help, Value value) {
    by_shard(name, Type::counter, help, value);
  }
  template <class Value>
  void gauge(std::string_view name, std::string_view help, Value value) {
    by_shard(name, Type::gauge, help, value);
  }

  const Scrape& scrape_;
  PrometheusText text_;
  const std::vector<double> bounds_ = bounds();
};

Scrape::Enlisted::Enlisted(Scrape& scrape, const Shard& shard) : scrape_(scrape), shard_(shard) {
  const std::lock_guard lock(scrape_.mutex_);
  auto& all = scrape_.shards_;
  const auto at = std::find_if(all.begin(), all.end(), [&shard](const Enlisted* each) {
    return each->shard_.index > shard.index;
  });
  all.insert(at, this);
}

Scrape::Enlisted::~Enlisted() {
  const std::lock_guard lock(scrape_.mutex_);
  std::erase(scrape_.shards_, this);
}

std::map<unsigned, uint64_t> Scrape::turns() const {
  std::map<unsigned, uint64_t> turns;
  const std::lock_guard lock(mutex_);
  for (const Enlisted* each : shards_)
    turns[each->shard_.index] = each->shard_.reactor.turns().value();
  return turns;
}

std::string Scrape::text() const {
  std::string text;
  const std::lock_guard lock(mutex_);
  Writer(*this, text).write();
  return text;
}

}  // namespace ringpost::service
