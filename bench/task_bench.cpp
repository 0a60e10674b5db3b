// What a coroutine costs: a Task awaited to its value, and one spawned into a Scope.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include <benchmark/benchmark.h>

#include "src/io/reactor.h"
#include "src/io/scope.h"
#include "src/io/task.h"

namespace {

using namespace ringpost;

void check(bool fine, const char* what) {
  if (fine) return;
  std::fprintf(stderr, "task_bench: %s\n", what);
  std::exit(1);
}

io::Task<int> twice(int value) {
  co_return 2 * value;
}
io::Task<int> nested(int value, int depth) {
  if (depth == 0) co_return value;
  co_return co_await nested(value, depth - 1);
}
io::Task<void> add(int value, int64_t& sum) {
  sum += value;
  co_return;
}

// One frame made, run to its end, its value taken, and freed.
void round_trip(benchmark::State& state) {
  io::Reactor reactor;
  reactor.run([](benchmark::State& timed) -> io::Task<void> {
    check(co_await twice(21) == 42, "a task brings its value");
    int value = 1;
    for (auto _ : timed) {
      benchmark::DoNotOptimize(value);
      benchmark::DoNotOptimize(co_await twice(value));
    }
  }(state));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(round_trip);

// The same through as many frames as a request has, and more.
void nested_round_trip(benchmark::State& state) {
  io::Reactor reactor;
  const auto depth = static_cast<int>(state.range(0));
  reactor.run([](benchmark::State& timed, int frames) -> io::Task<void> {
    check(co_await nested(7, frames) == 7, "nested tasks bring their value");
    for (auto _ : timed) benchmark::DoNotOptimize(co_await nested(1, frames));
  }(state, depth));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(nested_round_trip)->Arg(4)->Arg(64);

void spawn(benchmark::State& state) {
  io::Reactor reactor;
  io::Scope scope(reactor);
  int64_t sum = 0;
  scope.spawn(add(5, sum));
  check(sum == 5 && scope.running() == 0, "a spawned task runs to its end");
  for (auto _ : state) {
    scope.spawn(add(1, sum));
    benchmark::DoNotOptimize(sum);
  }
  check(sum == 5 + static_cast<int64_t>(state.iterations()), "each ran once");
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(spawn);

}  // namespace

BENCHMARK_MAIN();
