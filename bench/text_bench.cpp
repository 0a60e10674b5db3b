// The pieces of a user's JSON on their own: uuid, timestamp, integers, escaping, validation.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <benchmark/benchmark.h>
#include <simdjson.h>

#include "proto/json/writer.h"
#include "proto/pg/timestamptz.h"
#include "proto/pg/uuid.h"
#include "proto/wire/ascii.h"

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

template <char* (*Write)(char*, const Uuid&)>
void uuid_write(benchmark::State& state) {
  const std::vector<Uuid> all = make_uuids();
  char text[proto::pg::uuid_text_length];
  require(proto::pg::parse_uuid({text, static_cast<size_t>(Write(text, all[0]) - text)}) == all[0],
          "uuid");
  size_t i = 0;
  for (auto _ : state) {
    Write(text, all[i++ % count]);
    benchmark::DoNotOptimize(text);
  }
}
BENCHMARK(uuid_write<proto::pg::write_uuid>);
BENCHMARK(uuid_write<proto::pg::portable::write_uuid>);

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

template <std::optional<Uuid> (*Parse)(std::string_view)>
void uuid_parse(benchmark::State& state) {
  std::vector<std::string> all;
  for (const Uuid& uuid : make_uuids()) {
    std::string text(proto::pg::uuid_text_length, ' ');
    proto::pg::write_uuid(text.data(), uuid);
    all.push_back(text);
  }
  require(Parse(all[7]) == make_uuids()[7], "uuid");
  size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(Parse(all[i++ % count]));
}
BENCHMARK(uuid_parse<proto::pg::parse_uuid>);
BENCHMARK(uuid_parse<proto::pg::portable::parse_uuid>);

// Within 32 years of 2000; whether they have a fraction of a second is the argument.
std::vector<Timestamptz> make_times(bool fraction) {
  std::mt19937_64 random(2);
  std::vector<Timestamptz> all(count);
  for (Timestamptz& time : all) {
    time.microseconds = static_cast<int64_t>(random() % 1'000'000'000) * 1'000'000;
    if (fraction) time.microseconds += 1 + static_cast<int64_t>(random() % 999'999);
  }
  return all;
}

void timestamp_write(benchmark::State& state) {
  const std::vector<Timestamptz> all = make_times(state.range(0) != 0);
  char text[proto::pg::timestamp_text_length];
  const Timestamptz known{823'161'600'123'456};
  require(std::string_view(text, static_cast<size_t>(proto::pg::write_rfc3339(text, known) -
                                                     text)) == "2026-01-31T08:00:00.123456Z",
          "timestamp");
  size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(proto::pg::write_rfc3339(text, all[i++ % count]));
    benchmark::DoNotOptimize(text);
  }
}
BENCHMARK(timestamp_write)->ArgName("fraction")->Arg(0)->Arg(1);

void timestamp_write_strftime(benchmark::State& state) {
  const std::vector<Timestamptz> all = make_times(false);
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

// Numbers of every length, or below the argument alone.
void integer_write(benchmark::State& state) {
  std::mt19937_64 random(3);
  std::vector<int64_t> all(count);
  for (int64_t& value : all)
    value = state.range(0) != 0
                ? static_cast<int64_t>(random() % static_cast<uint64_t>(state.range(0)))
                : static_cast<int64_t>(random() >> (1 + random() % 63));
  proto::wire::Buffer out;
  for (const int64_t value : all) {
    out.clear();
    proto::json::Writer(out).number(value);
    require(out.view() == std::to_string(value), "integer");
  }
  size_t i = 0;
  for (auto _ : state) {
    out.clear();
    proto::json::Writer(out).number(all[i++ % count]);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(integer_write)->ArgName("below")->Arg(0)->Arg(100)->Arg(1'000'000);

// Arguments: length, and which one in how many characters must be escaped (0: none).
void escape(benchmark::State& state) {
  std::string text(static_cast<size_t>(state.range(0)), 'x');
  if (state.range(1) != 0)
    for (size_t i = 0; i < text.size(); i += static_cast<size_t>(state.range(1))) text[i] = '"';
  proto::wire::Buffer out;
  {
    proto::json::Writer(out).string(text);
  }
  std::string expected = "\"";
  for (const char c : text) (expected += c == '"' ? "\\" : "") += c;
  require(out.view() == expected + '"', "escaping");
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

// Arguments: length, and where a character that is not ASCII stands (-1: nowhere).
template <bool ascii_first>
void utf8_validate(benchmark::State& state) {
  std::string text(static_cast<size_t>(state.range(0)), 'x');
  if (state.range(1) >= 0) text.replace(static_cast<size_t>(state.range(1)), 2, "\xc3\xa9");
  for (auto _ : state) {
    benchmark::DoNotOptimize(text.data());
    const size_t ascii = ascii_first ? proto::wire::ascii_prefix(text) : 0;
    const bool valid =
        ascii == text.size() || simdjson::validate_utf8(text.data() + ascii, text.size() - ascii);
    benchmark::DoNotOptimize(valid);
  }
}
BENCHMARK(utf8_validate<true>)
    ->Args({200, -1})
    ->Args({200, 60})
    ->Args({4000, -1})
    ->Args({4000, 60});
BENCHMARK(utf8_validate<false>)
    ->Args({200, -1})
    ->Args({200, 60})
    ->Args({4000, -1})
    ->Args({4000, 60});

}  // namespace
}  // namespace ringpost::bench

BENCHMARK_MAIN();
