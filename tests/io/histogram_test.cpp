#include "src/io/histogram.h"

#include <cmath>
#include <random>

#include <gtest/gtest.h>

namespace ringpost::io {
namespace {

using namespace std::chrono_literals;

uint64_t total(const Histogram& histogram) {
  uint64_t sum = 0;
  for (size_t i = 0; i < Histogram::buckets; ++i) sum += histogram.count(i);
  return sum;
}

TEST(Histogram, HasTheBoundsOfANativeHistogramOfSchemaThree) {
  EXPECT_EQ(Histogram::bound(0), 1.0 / 131'072);
  EXPECT_EQ(Histogram::bound(17 * 8), 1.0);
  EXPECT_DOUBLE_EQ(Histogram::bound(17 * 8 + 1), 1.0905077326652577);
  EXPECT_DOUBLE_EQ(Histogram::bound(17 * 8 + 4), 1.4142135623730951);
  EXPECT_EQ(Histogram::bound(Histogram::buckets - 2), 16.0);
}

// Each duration is above the bound before its bucket and not above its own.
TEST(Histogram, PutsEachIntoItsBucket) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 200'000; ++i) {
    const auto ns = static_cast<int64_t>(random() >> (random() % 64) >> 1);
    const double seconds = static_cast<double>(ns) / 1e9;
    const size_t bucket = Histogram::bucket_of(ns);
    // The bounds are kept to 31 bits.
    constexpr double near = 1e-9;
    if (bucket != Histogram::buckets - 1) {
      ASSERT_LE(seconds, Histogram::bound(bucket) * (1 + near)) << ns;
    }
    if (bucket != 0) {
      ASSERT_GT(seconds, Histogram::bound(bucket - 1) * (1 - near)) << ns;
    }
  }
}

TEST(Histogram, PutsTheEndsIntoTheirBuckets) {
  EXPECT_EQ(Histogram::bucket_of(0), 0u);
  EXPECT_EQ(Histogram::bucket_of(7'629), 0u);
  EXPECT_EQ(Histogram::bucket_of(7'630), 1u);
  EXPECT_EQ(Histogram::bucket_of(1'000'000'000), 17u * 8);      // a bound belongs to what is below
  EXPECT_EQ(Histogram::bucket_of(1'000'000'001), 17u * 8 + 1);
  EXPECT_EQ(Histogram::bucket_of(16'000'000'000), Histogram::buckets - 2);
  EXPECT_EQ(Histogram::bucket_of(16'000'000'001), Histogram::buckets - 1);
  EXPECT_EQ(Histogram::bucket_of(INT64_MAX), Histogram::buckets - 1);
}

TEST(Histogram, CountsAndSums) {
  Histogram histogram;
  histogram.observe(1ms);
  histogram.observe(1ms);
  histogram.observe(250ms);
  histogram.observe(-1ms);  // a clock that was set back: no time
  EXPECT_EQ(total(histogram), 4u);
  EXPECT_EQ(histogram.count(Histogram::bucket_of(1'000'000)), 2u);
  EXPECT_DOUBLE_EQ(histogram.sum_s(), 0.252);
}

}  // namespace
}  // namespace ringpost::io
