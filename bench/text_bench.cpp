// The pieces of a user's JSON on their own: uuid, timestamp, integers, escaping.
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "proto/json/writer.h"
#include "proto/pg/timestamptz.h"
#include "proto/pg/uuid.h"

namespace ringpost::bench {
namespace {

using proto::pg::Timestamptz;
using proto::pg::Uuid;

constexpr size_t count = 1024;

void require(bool right, const char* what) {
  if (right) return;
  std::fprintf(stderr, "%s is wrong\n", what);
  std::abort();
}

std::vector<Uuid> make_uuids() {
  std::mt19937 random(1);
  std::vector<Uuid> all(count);
  for (Uuid& uuid : all)
    for (uint8_t& byte : uuid.bytes) byte = static_cast<uint8_t>(random());
  return all;
}

void uuid_write(benchmark::State& state) {
  const std::vector<Uuid> all = make_uuids();
  char text[proto::pg::uuid_text_length];
  require(proto::pg::parse_uuid(
              {text, static_cast<size_t>(proto::pg::write_uuid(text, all[0]) - text)}) == all[0],
          "uuid");
  size_t i = 0;
  for (auto _ : state) {
    proto::pg::write_uuid(text, all[i++ % count]);
    benchmark::DoNotOptimize(text);
  }
}
BENCHMARK(uuid_write);

void uuid_write_snprintf(benchmark::State& state) {
  const std::vector<Uuid> all = make_uuids();
  char text[40];
  size_t i = 0;
  for (auto _ : state) {
    const auto& b = all[i++ % count].bytes;
    std::snprintf(text, sizeof text,
                  "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                  b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
                  b[14], b[15]);
    benchmark::DoNotOptimize(text);
  }
}
BENCHMARK(uuid_write_snprintf);

void uuid_parse(benchmark::State& state) {
  std::vector<std::string> all;
  for (const Uuid& uuid : make_uuids()) {
    std::string text(proto::pg::uuid_text_length, ' ');
    proto::pg::write_uuid(text.data(), uuid);
    all.push_back(text);
  }
  require(proto::pg::parse_uuid(all[7]) == make_uuids()[7], "uuid");
  size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(proto::pg::parse_uuid(all[i++ % count]));
}
BENCHMARK(uuid_parse);

// Half of them with a fraction of a second.
std::vector<Timestamptz> make_times() {
  std::mt19937_64 random(2);
  std::vector<Timestamptz> all(count);
  for (size_t i = 0; i < count; ++i) {
    all[i].microseconds = static_cast<int64_t>(random() % 1'000'000'000) * 1'000'000;
    if (i % 2 == 0) all[i].microseconds += static_cast<int64_t>(random() % 1'000'000);
  }
  return all;
}

void timestamp_write(benchmark::State& state) {
  const std::vector<Timestamptz> all = make_times();
  char text[proto::pg::timestamp_text_length];
  const Timestamptz known{823'161'600'000'000};
  require(std::string_view(text, static_cast<size_t>(proto::pg::write_rfc3339(text, known) -
                                                     text)) == "2026-01-31T08:00:00Z",
          "timestamp");
  size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(proto::pg::write_rfc3339(text, all[i++ % count]));
    benchmark::DoNotOptimize(text);
  }
}
BENCHMARK(timestamp_write);

void timestamp_write_strftime(benchmark::State& state) {
  const std::vector<Timestamptz> all = make_times();
  char text[40];
  size_t i = 0;
  for (auto _ : state) {
    const time_t seconds = all[i++ % count].microseconds / 1'000'000 + 946'684'800;
    tm parts;
    gmtime_r(&seconds, &parts);
    benchmark::DoNotOptimize(std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts));
  }
}
BENCHMARK(timestamp_write_strftime);

void integer_write(benchmark::State& state) {
  std::mt19937 random(3);
  std::vector<int32_t> all(count);
  for (int32_t& value : all) value = static_cast<int32_t>(random() >> random() % 32);
  proto::wire::Buffer out;
  {
    proto::json::Writer(out).number(all[0]);
  }
  require(out.view() == std::to_string(all[0]), "integer");
  size_t i = 0;
  for (auto _ : state) {
    out.clear();
    proto::json::Writer(out).number(all[i++ % count]);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(integer_write);

// Arguments: length, and which one in how many characters must be escaped (0: none).
void escape(benchmark::State& state) {
  std::string text(static_cast<size_t>(state.range(0)), 'x');
  if (state.range(1) != 0)
    for (size_t i = 0; i < text.size(); i += static_cast<size_t>(state.range(1))) text[i] = '"';
  proto::wire::Buffer out;
  {
    proto::json::Writer(out).string(text);
  }
  require(out.size() >= text.size() + 2, "escaping");
  for (auto _ : state) {
    out.clear();
    proto::json::Writer(out).string(text);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(escape)
    ->Args({10, 0})
    ->Args({24, 0})
    ->Args({1000, 0})
    ->Args({24, 12})
    ->Args({1000, 50})
    ->Args({1000, 2});

}  // namespace
}  // namespace ringpost::bench

BENCHMARK_MAIN();
