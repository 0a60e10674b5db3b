// A look-up in the stub's table of users, by ids in no order, beside std::unordered_map: of the
// seed's 10,000, and of so many that none is in a cache, as beside a server and a generator.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "loadtest/stub/table.h"

namespace ringpost::bench {
namespace {

using proto::pg::Uuid;
using stub::Table;

std::vector<Uuid> make_ids(int64_t users) {
  std::mt19937 random(1);
  std::vector<Uuid> ids(static_cast<size_t>(users));
  for (Uuid& id : ids)
    for (uint8_t& byte : id.bytes) byte = static_cast<uint8_t>(random());
  return ids;
}

// Users that have an id alone, as COPY writes them.
Table make_table(const std::vector<Uuid>& ids) {
  std::string copied("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
  for (const Uuid& id : ids) {
    copied.append("\0\7\0\0\0\20", 6);
    copied.append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
    copied.append(6 * 4, '\377');
  }
  copied.append(2, '\377');
  auto table = Table::read({copied.begin(), copied.end()});
  if (table) return std::move(*table);
  std::fprintf(stderr, "stub_table_bench: %s\n", table.error().c_str());
  std::exit(1);
}

struct Hash {
  size_t operator()(const Uuid& id) const {
    return std::hash<std::string_view>()(
        {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()});
  }
};

// `find` is true for an id that is there.
template <class Find>
void look_up(benchmark::State& state, std::vector<Uuid> ids, Find find) {
  std::shuffle(ids.begin(), ids.end(), std::mt19937(2));
  size_t next = 0, found = 0;
  for (auto _ : state) {
    found += find(ids[next]) ? 1 : 0;
    next = next + 1 == ids.size() ? 0 : next + 1;
  }
  if (found != static_cast<size_t>(state.iterations())) state.SkipWithError("an id was not found");
}

void table(benchmark::State& state) {
  const std::vector<Uuid> ids = make_ids(state.range(0));
  const Table users_by_id = make_table(ids);
  look_up(state, ids, [&](const Uuid& id) { return !users_by_id.find(id).empty(); });
}
BENCHMARK(table)->Arg(10'000)->Arg(300'000);

void unordered_map(benchmark::State& state) {
  const std::vector<Uuid> ids = make_ids(state.range(0));
  std::unordered_map<Uuid, std::string_view, Hash> users_by_id;
  for (const Uuid& id : ids) users_by_id.emplace(id, "fields");
  look_up(state, ids, [&](const Uuid& id) {
    const auto found = users_by_id.find(id);
    return found != users_by_id.end() && !found->second.empty();
  });
}
BENCHMARK(unordered_map)->Arg(10'000)->Arg(300'000);

}  // namespace
}  // namespace ringpost::bench

BENCHMARK_MAIN();
