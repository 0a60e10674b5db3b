#include "src/io/latency_histogram.h"

#include <cmath>
#include <random>

#include <gtest/gtest.h>

namespace ringpost::io {
namespace {

using namespace std::chrono_literals;

uint64_t total(const LatencyHistogram& histogram) {
  uint64_t sum = 0;
  for (size_t i = 0; i < LatencyHistogram::buckets; ++i) sum += histogram.count(i);
  return sum;
}

TEST(LatencyHistogram, HasTheBoundsOfANativeHistogramOfSchemaThree) {
  EXPECT_EQ(LatencyHistogram::bound(0), 1.0 / 131'072);
  EXPECT_EQ(LatencyHistogram::bound(17 * 8), 1.0);
  EXPECT_DOUBLE_EQ(LatencyHistogram::bound(17 * 8 + 1), 1.0905077326652577);
  EXPECT_DOUBLE_EQ(LatencyHistogram::bound(17 * 8 + 4), 1.4142135623730951);
  EXPECT_EQ(LatencyHistogram::bound(LatencyHistogram::buckets - 2), 16.0);
}

// Each duration is above the bound before its bucket and not above its own.
TEST(LatencyHistogram, PutsEachIntoItsBucket) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 200'000; ++i) {
    const auto ns = static_cast<int64_t>(random() >> (random() % 64) >> 1);
    const double seconds = static_cast<double>(ns) / 1e9;
    const size_t bucket = LatencyHistogram::bucket_of(ns);
    // The bounds are kept to 31 bits.
    constexpr double near = 1e-9;
    if (bucket != LatencyHistogram::buckets - 1) {
      ASSERT_LE(seconds, LatencyHistogram::bound(bucket) * (1 + near)) << ns;
    }
    if (bucket != 0) {
      ASSERT_GT(seconds, LatencyHistogram::bound(bucket - 1) * (1 - near)) << ns;
    }
  }
}

TEST(LatencyHistogram, PutsTheEndsIntoTheirBuckets) {
  EXPECT_EQ(LatencyHistogram::bucket_of(0), 0u);
  EXPECT_EQ(LatencyHistogram::bucket_of(7'629), 0u);
  EXPECT_EQ(LatencyHistogram::bucket_of(7'630), 1u);
  EXPECT_EQ(LatencyHistogram::bucket_of(1'000'000'000),
            17u * 8);  // a bound belongs to what is below
  EXPECT_EQ(LatencyHistogram::bucket_of(1'000'000'001), 17u * 8 + 1);
  EXPECT_EQ(LatencyHistogram::bucket_of(16'000'000'000), LatencyHistogram::buckets - 2);
  EXPECT_EQ(LatencyHistogram::bucket_of(16'000'000'100), LatencyHistogram::buckets - 1);
  EXPECT_EQ(LatencyHistogram::bucket_of(INT64_MAX), LatencyHistogram::buckets - 1);
}

TEST(LatencyHistogram, CountsAndSums) {
  LatencyHistogram histogram;
  histogram.observe(1ms);
  histogram.observe(1ms);
  histogram.observe(250ms);
  histogram.observe(-1ms);  // a clock that was set back: no time
  EXPECT_EQ(total(histogram), 4u);
  EXPECT_EQ(histogram.count(LatencyHistogram::bucket_of(1'000'000)), 2u);
  EXPECT_DOUBLE_EQ(histogram.sum_s(), 0.252);
}

}  // namespace
}  // namespace ringpost::io
