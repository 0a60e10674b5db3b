#include "src/io/profile.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <typeinfo>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "src/io/symbols.h"

namespace ringpost::io {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

TEST(Histogram, OfNoneIsZero) {
  const Histogram none;
  EXPECT_EQ(none.count(), 0u);
  EXPECT_EQ(none.quantile(0.5), 0ns);
}

TEST(Histogram, QuantilesAreWithinASixteenth) {
  Histogram times;
  for (int us = 1; us <= 1000; ++us) times.add(std::chrono::microseconds(us));
  EXPECT_EQ(times.count(), 1000u);
  EXPECT_EQ(times.total(), 500500us);
  EXPECT_GE(times.quantile(0.5), 500us);
  EXPECT_LE(times.quantile(0.5), 532us);
  EXPECT_GE(times.quantile(0.99), 990us);
  EXPECT_LE(times.quantile(0.99), 1052us);
}

TEST(Histogram, SmallTimesAreExactAndHugeOnesCount) {
  Histogram times;
  times.add(0ns);
  EXPECT_EQ(times.quantile(1), 0ns);
  times.add(31ns);
  EXPECT_EQ(times.quantile(1), 31ns);
  times.add(std::chrono::hours(1000));
  EXPECT_EQ(times.count(), 3u);
  EXPECT_GE(times.quantile(1), std::chrono::hours(4));
}

TEST(Histogram, Merges) {
  Histogram one, other;
  one.add(10ns);
  other.add(20ns);
  one.merge(other);
  EXPECT_EQ(one.count(), 2u);
  EXPECT_EQ(one.total(), 30ns);
  EXPECT_EQ(one.quantile(0.5), 10ns);
  EXPECT_EQ(one.quantile(1), 20ns);
}

template <class T>
[[gnu::noinline]] int of_a_template(T value) {
  return static_cast<int>(value) + 1;
}
struct Something {};

TEST(Symbols, AreShort) {
  Symbols symbols;
  EXPECT_EQ(symbols.name(reinterpret_cast<const void*>(&write_profile)), "io::write_profile");
  EXPECT_EQ(symbols.name(reinterpret_cast<const void*>(&of_a_template<long>)), "io::of_a_template");
  EXPECT_EQ(symbols.name(reinterpret_cast<const void*>(&getppid)), "getppid");
  EXPECT_EQ(symbols.name(nullptr), "[unknown]");
  EXPECT_EQ(short_type_name(typeid(Something).name()), "io::Something");
  EXPECT_EQ(short_type_name(typeid(std::pair<Something, int>).name()),
            "std::pair<io::Something, int>");
}

// As the reports show it: what was added up from two threads, by name.
TEST(Profile, MergesAndIsWritten) {
  const auto* code = reinterpret_cast<const void*>(&write_profile);
  Symbols symbols;
  Profile one, other;
  one.samples[{{}, {code}}] = 2;
  other.samples[{{}, {code}}] = 3;
  other.lost = 1;
  one.waits[{{{code}, {}}, typeid(Something).name()}].add(40us);
  other.waits[{{{code}, {}}, typeid(Something).name()}].add(60us);
  one.merge(other);
  EXPECT_EQ(folded_samples(one, symbols), "[lost] 1\nio::write_profile 5\n");
  EXPECT_EQ(folded_waits(one, symbols), "io::write_profile;io::Something 100\n");
  EXPECT_THAT(table_of_waits(one, symbols),
              StartsWith("     waits      sum_ms     p50_us     p99_us  tasks; what is awaited\n"
                         "         2         0.1 "));

  const std::filesystem::path folder = testing::TempDir() + "/profile_test/of one";
  EXPECT_EQ(write_profile(one, folder), "");
  std::ostringstream text;
  text << std::ifstream(folder / "cpu.folded").rdbuf();
  EXPECT_EQ(text.str(), "[lost] 1\nio::write_profile 5\n");
  EXPECT_THAT(write_profile(one, folder / "cpu.folded"), HasSubstr("cpu.folded: "));
  std::filesystem::remove_all(folder.parent_path());
}

}  // namespace
}  // namespace ringpost::io
