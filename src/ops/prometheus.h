// Prometheus's text format, version 0.0.4 (its documentation, "Exposition formats"), which
// OpenMetrics' readers take too. It is appended to a string: family() opens a family, sample()
// adds to the one that is open.
//
//     # HELP http_server_request_duration_seconds How long requests took.
//     # TYPE http_server_request_duration_seconds histogram
//     http_server_request_duration_seconds_bucket{http_route="/users",le="0.5"} 12
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringpost::ops {

class PrometheusText {
 public:
  enum class Type { counter, gauge, histogram };
  using Label = std::pair<std::string_view, std::string_view>;
  using Labels = std::vector<Label>;

  explicit PrometheusText(std::string& out) : out_(out) {}

  // `name` lives until the next family. Names and labels are of [a-zA-Z_][a-zA-Z0-9_]*.
  void family(std::string_view name, Type type, std::string_view help);
  void sample(const Labels& labels, uint64_t value);
  void sample(const Labels& labels, double value);
  // One histogram: `bounds` in ascending order, `counts` of each and one more, of what is above the
  // last; not cumulative. `sum` of all.
  void histogram(const Labels& labels, std::span<const double> bounds,
                 std::span<const uint64_t> counts, double sum);

  static constexpr std::string_view content_type = "text/plain; version=0.0.4; charset=utf-8";

 private:
  void line(std::string_view suffix, const Labels& labels, std::string_view le,
            std::string_view value);

  std::string& out_;
  std::string_view name_;
};

}  // namespace ringpost::ops
