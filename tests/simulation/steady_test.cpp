// Nothing is allocated in the steady state, by the program under its loads: memory is taken while a
// shard gets there, and used again from then on.
#include "tests/simulation/steady.h"

#include <cstddef>

#include <gtest/gtest.h>

#include "tests/simulation/world.h"

namespace {

// Of the program alone: what its simulated kernel and peers allocate is not its own.
size_t allocations = 0;

void note_allocation() {
  const ringpost::simulation::World* world = ringpost::simulation::World::current;
  if (world != nullptr && !world->in_turn()) ++allocations;
}

}  // namespace

// They take the place of the C library's, whose own functions they call. So operator new is counted
// as well.
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* memory, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

void* malloc(size_t size) {
  note_allocation();
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  note_allocation();
  return __libc_calloc(count, size);
}
void* realloc(void* memory, size_t size) {
  note_allocation();
  return __libc_realloc(memory, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  note_allocation();
  return __libc_memalign(alignment, size);
}
}

namespace ringpost::simulation {
namespace {

size_t allocations_of(Steady steady) {
  size_t before = 0, after = 0;
  steady.begin = [&] { before = allocations; };
  steady.end = [&] { after = allocations; };
  steady.run();
  EXPECT_GT(before, 100U) << "its start allocates; so nothing was counted";
  return after - before;
}

TEST(SteadyState, LookupsAllocateNothing) {
  EXPECT_EQ(allocations_of({.clients = 1, .rounds = 1'000, .ask = lookup}), 0U);
  // Send buffers are of many sizes: a small one that comes to where much is sent grows there, once.
  const Steady many{.clients = 64, .rounds_before = 1'000, .rounds = 500, .ask = lookup};
  EXPECT_LE(allocations_of(many), many.requests() / 1'000);
}

TEST(SteadyState, PagesAllocateNothing) {
  EXPECT_EQ(allocations_of({.clients = 1, .rounds = 500, .ask = page}), 0U);
  const Steady many{.clients = 64, .rounds_before = 200, .rounds = 50, .ask = page};
  EXPECT_LE(allocations_of(many), many.requests() / 1'000);
}

}  // namespace
}  // namespace ringpost::simulation
