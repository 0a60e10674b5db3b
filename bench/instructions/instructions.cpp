// What callgrind counts (instructions_test.py): the shipping shard under steady loads, its kernel
// and its peers simulated. All calls into that kernel are named __wrap_*, and left out of the
// count; instructions_mark() cuts it in pieces.
//
// Prints the compiler, and a line for each load: its name and how many requests were counted. Each
// has a piece before the one that counts: its start and its warming up.
#include <cstdio>

#include "tests/simulation/steady.h"

namespace {
#if defined(__clang__)
constexpr const char* compiler = "clang";
constexpr int version[] = {__clang_major__, __clang_minor__, __clang_patchlevel__};
#else
constexpr const char* compiler = "gcc";
constexpr int version[] = {__GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__};
#endif
}  // namespace

extern "C" [[gnu::noinline]] void instructions_mark() {
  asm volatile("" ::: "memory");
}

int main() {
  using ringpost::simulation::lookup;
  using ringpost::simulation::page;
  using ringpost::simulation::Steady;
  struct Load {
    const char* name;
    Steady steady;
  };
  std::printf("%s-%d.%d.%d\n", compiler, version[0], version[1], version[2]);
  Load loads[] = {
      {"lookup_1_client", {.clients = 1, .rounds_before = 200, .rounds = 1'000, .ask = lookup}},
      {"lookup_64_clients", {.clients = 64, .rounds_before = 10, .rounds = 30, .ask = lookup}},
      {"page_1_client", {.clients = 1, .rounds_before = 50, .rounds = 200, .ask = page}},
      {"page_64_clients", {.clients = 64, .rounds_before = 5, .rounds = 10, .ask = page}},
  };
  for (auto& [name, steady] : loads) {
    steady.begin = steady.end = instructions_mark;
    steady.run();
    std::printf("%s %zu\n", name, steady.requests());
  }
}
