#include "src/io/ring.h"

#include <cerrno>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

namespace {
bool busy = false;
}

// Ring submits by it in mid-turn alone. While `busy`, a kernel that wants its completions taken
// first, as those before 5.19 do when the completion queue has overflowed.
extern "C" int __real_io_uring_submit(io_uring* ring);
extern "C" int __wrap_io_uring_submit(io_uring* ring) {
  if (busy && io_uring_cq_ready(ring) != 0) return -EBUSY;
  return __real_io_uring_submit(ring);
}

namespace ringpost::io {
namespace {

// Prepares further requests from inside its completion, as a receive that is armed again does.
class Fanning final : public Operation {
 public:
  Fanning(Ring& ring, std::vector<Fanning*>& next) : ring_(ring), next_(next) {}
  void start() { io_uring_prep_nop(ring_.prepare(this)); }
  void complete(int, uint32_t) override {
    ++completions;
    for (int i = 0; i < 3 && !next_.empty(); ++i) {
      next_.back()->start();
      next_.pop_back();
    }
  }
  int completions = 0;

 private:
  Ring& ring_;
  std::vector<Fanning*>& next_;
};

// Both queues are far smaller than what is asked for: the submission queue is full while
// completions are being handed over, and those that are left have to be set aside.
void expect_each_completion_once() {
  Ring ring(4, 8);
  std::vector<Fanning*> waiting;
  std::vector<std::unique_ptr<Fanning>> all;
  for (int i = 0; i < 1000; ++i) {
    all.push_back(std::make_unique<Fanning>(ring, waiting));
    waiting.push_back(all.back().get());
  }
  for (int i = 0; i < 20; ++i) {
    Fanning* first = waiting.back();
    waiting.pop_back();
    first->start();
  }
  for (int turn = 0, quiet = 0; turn < 10'000 && quiet < 3; ++turn) {
    ring.submit(false);
    quiet = ring.reap() == 0 && waiting.empty() ? quiet + 1 : 0;
  }
  for (const auto& operation : all) EXPECT_EQ(operation->completions, 1);
}

TEST(Ring, EachCompletionIsHandedOverOnceHoweverFullTheQueuesAre) {
  expect_each_completion_once();
}

TEST(Ring, EachCompletionIsHandedOverOnceWhenTheKernelWantsThemTakenFirst) {
  busy = true;
  expect_each_completion_once();
  busy = false;
}

}  // namespace
}  // namespace ringpost::io
