#include "src/ops/prometheus.h"

#include <array>

#include <gtest/gtest.h>

namespace ringpost::ops {
namespace {

using Type = PrometheusText::Type;

TEST(PrometheusText, WritesFamiliesAndSamples) {
  std::string out;
  PrometheusText text(out);
  text.family("turns_total", Type::counter, "Turns of the loop.");
  text.sample({{"shard", "0"}}, uint64_t{18446744073709551615U});
  text.sample({{"shard", "1"}, {"of", "http"}}, uint64_t{0});
  text.family("start_time_seconds", Type::gauge, "Since 1970.");
  text.sample({}, 1769846400.25);
  EXPECT_EQ(out,
            "# HELP turns_total Turns of the loop.\n"
            "# TYPE turns_total counter\n"
            "turns_total{shard=\"0\"} 18446744073709551615\n"
            "turns_total{shard=\"1\",of=\"http\"} 0\n"
            "# HELP start_time_seconds Since 1970.\n"
            "# TYPE start_time_seconds gauge\n"
            "start_time_seconds 1769846400.25\n");
}

TEST(PrometheusText, EscapesLabels) {
  std::string out;
  PrometheusText text(out);
  text.family("x", Type::gauge, "X.");
  text.sample({{"db_namespace", "a\"b\\c\nd\xc3\xa9"}}, uint64_t{1});
  EXPECT_EQ(out,
            "# HELP x X.\n# TYPE x gauge\n"
            "x{db_namespace=\"a\\\"b\\\\c\\nd\xc3\xa9\"} 1\n");
}

TEST(PrometheusText, SumsBucketsUp) {
  std::string out;
  PrometheusText text(out);
  text.family("took_seconds", Type::histogram, "How long.");
  const std::array bounds{0.5, 1.0, 2.0};
  const std::array<uint64_t, 4> counts{3, 0, 2, 1};
  text.histogram({{"route", "/"}}, bounds, counts, 7.5);
  EXPECT_EQ(out,
            "# HELP took_seconds How long.\n# TYPE took_seconds histogram\n"
            "took_seconds_bucket{route=\"/\",le=\"0.5\"} 3\n"
            "took_seconds_bucket{route=\"/\",le=\"1\"} 3\n"
            "took_seconds_bucket{route=\"/\",le=\"2\"} 5\n"
            "took_seconds_bucket{route=\"/\",le=\"+Inf\"} 6\n"
            "took_seconds_sum{route=\"/\"} 7.5\n"
            "took_seconds_count{route=\"/\"} 6\n");
}

}  // namespace
}  // namespace ringpost::ops
