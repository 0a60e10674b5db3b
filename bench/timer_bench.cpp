// What a deadline costs: a request's 2 s timer, started and almost always stopped, while others
// run; and the wheel's own turning.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include <benchmark/benchmark.h>

#include "src/io/timer.h"

namespace {

using namespace ringpost;
using namespace std::chrono_literals;

void check(bool fine, const char* what) {
  if (fine) return;
  std::fprintf(stderr, "timer_bench: %s\n", what);
  std::exit(1);
}

class Counted final : public io::Timer {
 public:
  explicit Counted(int64_t& count) : count_(count) {}

 private:
  void expired() override { ++count_; }
  int64_t& count_;
};

const io::Time start{1000h};

// A wheel on which `count` timers run, spread over the two seconds to come.
class Busy {
 public:
  explicit Busy(int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      timers_.push_back(std::make_unique<Counted>(expired));
      wheel.start(*timers_.back(), start + 1ms + (i * 7919 % 2000) * 1ms);
    }
  }
  ~Busy() {
    for (const auto& timer : timers_) wheel.stop(*timer);
  }

  io::TimerWheel wheel{start};
  int64_t expired = 0;

 private:
  std::vector<std::unique_ptr<Counted>> timers_;
};

void start_and_stop(benchmark::State& state) {
  Busy busy(state.range(0));
  int64_t rung = 0;
  Counted timer(rung);
  {
    io::TimerWheel wheel(start);
    wheel.start(timer, start + 2s);
    wheel.advance(start + 1999ms);
    check(rung == 0 && timer.running(), "not before its deadline");
    wheel.advance(start + 2s);
    check(rung == 1 && !timer.running(), "at its deadline");
  }
  for (auto _ : state) {
    busy.wheel.start(timer, start + 2s);
    benchmark::ClobberMemory();
    busy.wheel.stop(timer);
  }
  check(rung == 1, "a stopped timer does not expire");
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(start_and_stop)->Arg(0)->Arg(1'000)->Arg(100'000);

// A turn of the loop that finds nothing due: what every turn pays.
void advance_and_next(benchmark::State& state) {
  Busy busy(state.range(0));
  check(state.range(0) == 0 ? busy.wheel.next() == io::never : busy.wheel.next() <= start + 1ms,
        "when the loop must wake");
  for (auto _ : state) {
    busy.wheel.advance(start);
    benchmark::DoNotOptimize(busy.wheel.next());
  }
  check(busy.expired == 0, "nothing was due");
}
BENCHMARK(advance_and_next)->Arg(0)->Arg(1'000)->Arg(100'000);

// Two seconds, a millisecond at a time, in which all timers expire: each item is one of them.
void expire_all(benchmark::State& state) {
  const int64_t count = state.range(0);
  for (auto _ : state) {
    state.PauseTiming();
    auto busy = std::make_unique<Busy>(count);
    state.ResumeTiming();
    for (io::Time now = start; now <= start + 2001ms; now += 1ms) busy->wheel.advance(now);
    state.PauseTiming();
    check(busy->expired == count && busy->wheel.next() == io::never, "each expires once");
    busy.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * count);
}
BENCHMARK(expire_all)->Arg(1'000)->Arg(100'000);

}  // namespace

BENCHMARK_MAIN();
