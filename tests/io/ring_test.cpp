#include "src/io/ring.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/support/reactor.h"
#include "tests/support/sockets.h"

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

using namespace std::chrono_literals;

// What it was told, and in which order.
class Noted final : public Operation {
 public:
  void complete(int result, uint32_t) override { results.push_back(result); }
  std::vector<int> results;
};

// A timeout of its own, for a wait that something has to end.
class After final : public Operation {
 public:
  After(Ring& ring, std::chrono::nanoseconds delay) {
    at_.tv_nsec = delay.count();
    io_uring_prep_timeout(ring.prepare(this), &at_, 0, 0);
  }
  void complete(int, uint32_t) override { over = true; }
  bool over = false;

 private:
  __kernel_timespec at_{};
};

// Two connected sockets, closed in the end.
struct Pair {
  Pair() : Pair(tests::socket_pair()) {}
  explicit Pair(std::pair<int, int> ends) : ours(ends.first), theirs(ends.second) {}
  ~Pair() {
    ::close(ours);
    ::close(theirs);
  }
  int ours, theirs;
};

TEST(Ring, ASendThatWasTakenWholeEndsNoWait) {
  Ring ring(8, 16);
  const Pair unix_sockets, tcp(tests::tcp_pair());
  for (const Pair* pair : {&unix_sockets, &tcp}) {
    Noted send;
    After timeout(ring, 20ms);
    ring.send_now(send, pair->ours, "hello");
    const auto begin = std::chrono::steady_clock::now();
    ring.submit(true);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 20ms);
    EXPECT_EQ(ring.reap(), 1u) << "the timeout";
    EXPECT_TRUE(timeout.over);
    EXPECT_EQ(send.results, std::vector<int>{5});
    EXPECT_EQ(tests::read_available(pair->theirs), "hello");
  }
}

// How long it waits for so many.
std::chrono::nanoseconds time_of_wait(Ring& ring, unsigned completions, Duration limit) {
  const auto begin = std::chrono::steady_clock::now();
  ring.submit_and_wait(completions, limit);
  return std::chrono::steady_clock::now() - begin;
}

// Reads what somebody writes after a while.
class Reading final : public Operation {
 public:
  Reading(Ring& ring, std::chrono::milliseconds delay)
      : writer_([this, delay] {
          std::this_thread::sleep_for(delay);
          EXPECT_EQ(::write(pair_.theirs, "x", 1), 1);
        }) {
    io_uring_prep_recv(ring.prepare(this), pair_.ours, &byte_, 1, 0);
  }
  ~Reading() { writer_.join(); }
  void complete(int result, uint32_t) override { over = result == 1; }
  bool over = false;

 private:
  Pair pair_;
  char byte_ = 0;
  std::thread writer_;
};

TEST(Ring, AWaitForSeveralEndsWithTheLastOfThem) {
  Ring ring(8, 16);
  Reading first(ring, 5ms), second(ring, 30ms);
  const auto waited = time_of_wait(ring, 2, 800ms);
  EXPECT_GE(waited, 20ms);
  EXPECT_LT(waited, 700ms);
  EXPECT_EQ(ring.reap(), 2u);
  EXPECT_TRUE(first.over && second.over);
}

TEST(Ring, AWaitForSeveralEndsAtItsLimit) {
  Ring ring(8, 16);
  Reading only(ring, 5ms);
  const auto waited = time_of_wait(ring, 2, 30ms);
  EXPECT_GE(waited, 30ms);
  EXPECT_LT(waited, 700ms);
  EXPECT_EQ(ring.reap(), 1u);
  EXPECT_TRUE(only.over);
  EXPECT_GE(time_of_wait(ring, 2, 20ms), 20ms);
  EXPECT_EQ(ring.reap(), 0u);
}

TEST(Ring, AWaitForSeveralEndsAtOnceWhenTheyHaveCome) {
  Ring ring(8, 16);
  std::vector<Fanning*> none;
  Fanning one(ring, none), other(ring, none);
  one.start();
  other.start();
  EXPECT_LT(time_of_wait(ring, 2, 800ms), 700ms);
  EXPECT_EQ(ring.reap(), 2u);
}

TEST(Ring, AWaitForSeveralEndsWhenATimeoutExpires) {
  Ring ring(8, 16);
  After timeout(ring, 5ms);
  EXPECT_LT(time_of_wait(ring, 2, 800ms), 700ms);
  EXPECT_EQ(ring.reap(), 1u);
  EXPECT_TRUE(timeout.over);
}

TEST(Ring, ASendThatWasTakenWholeIsNoneOfSeveral) {
  Ring ring(8, 16);
  const Pair pair;
  std::vector<Fanning*> none;
  Fanning other(ring, none);
  other.start();
  Noted send;
  ring.send_now(send, pair.ours, "hello");
  EXPECT_GE(time_of_wait(ring, 2, 20ms), 20ms);
  EXPECT_EQ(ring.reap(), 1u);
  EXPECT_EQ(send.results, std::vector<int>{5});
}

TEST(Ring, ASendThatFoundTooLittleRoomEndsTheWaitAndSaysHowMuchWasTaken) {
  Ring ring(8, 16);
  const Pair unix_sockets, tcp(tests::tcp_pair());
  const std::string much(16 << 20, 'x');
  for (const Pair* pair : {&unix_sockets, &tcp}) {
    Noted send;
    // The buffers of TCP grow for a while.
    for (int i = 0; i < 1000 && (send.results.empty() || send.results.back() > 0); ++i) {
      After timeout(ring, 900ms);
      ring.send_now(send, pair->ours, much);
      ring.submit(true);
      EXPECT_EQ(ring.reap(), 1u);
      EXPECT_FALSE(timeout.over) << "it is told of at once";
      ring.cancel(timeout);
      ring.submit(true);
      while (!timeout.over) ring.reap();
    }
    EXPECT_EQ(send.results.back(), -EAGAIN);
    size_t taken = 0;
    for (const int result : send.results)
      if (result > 0) taken += static_cast<size_t>(result);
    EXPECT_LT(send.results.front(), static_cast<int>(much.size()));
    size_t arrived = 0;
    for (int i = 0; i < 1000 && arrived < taken; ++i) {
      arrived += tests::read_available(pair->theirs).size();
      if (arrived < taken) ::usleep(1000);
    }
    EXPECT_EQ(arrived, taken);
  }
}

TEST(Ring, ASendThatFailsEndsTheWait) {
  Ring ring(8, 16);
  const auto [ours, theirs] = tests::socket_pair();
  ::close(theirs);
  Noted send;
  ring.send_now(send, ours, "hello");
  ring.submit(true);
  EXPECT_EQ(ring.reap(), 1u);
  EXPECT_EQ(send.results, std::vector<int>{-EPIPE});
  ::close(ours);
}

TEST(Ring, ASendIsNotToldOfBeforeItIsSubmitted) {
  Ring ring(8, 16);
  const Pair pair;
  Noted send;
  ring.send_now(send, pair.ours, "hello");
  EXPECT_EQ(ring.reap(), 0u);
  EXPECT_EQ(send.results, std::vector<int>{});
  After timeout(ring, 900ms);
  EXPECT_LT(time_of_wait(ring, 2, 800ms), 400ms) << "one that is overdue is not waited behind";
  EXPECT_EQ(ring.reap(), 0u);
  EXPECT_EQ(send.results, std::vector<int>{5});
  ring.cancel(timeout);
  while (!timeout.over) {
    ring.submit(true);
    ring.reap();
  }
}

// Sends its bytes one at a time, the next from inside of the last one's completion.
class Spelling final : public Operation {
 public:
  // Each send is to end with `result`.
  Spelling(Ring& ring, int fd, int result) : ring_(ring), fd_(fd), result_(result) {}
  void start() { ring_.send_now(*this, fd_, text.substr(told, 1)); }
  void complete(int result, uint32_t) override {
    EXPECT_EQ(result, result_);
    ++told;
    if (!done()) start();
  }
  bool done() const { return told == text.size(); }
  static constexpr std::string_view text = "one byte at a time, and never one twice";
  size_t told = 0;

 private:
  Ring& ring_;
  int fd_, result_;
};

// With more of them than the queues have room for, others between them, and every second one to a
// peer that is gone.
void expect_each_send_once(unsigned completion_entries) {
  Ring ring(4, completion_entries);
  std::deque<Pair> pairs(20), broken(20);
  std::deque<Spelling> sends;
  std::vector<Fanning*> none;
  std::deque<Fanning> others;
  for (size_t i = 0; i < pairs.size(); ++i) {
    ::shutdown(broken[i].theirs, SHUT_RDWR);
    sends.emplace_back(ring, broken[i].ours, -EPIPE).start();
    sends.emplace_back(ring, pairs[i].ours, 1).start();
  }
  const auto done = [&] { return std::ranges::all_of(sends, &Spelling::done); };
  for (int turn = 0; turn < 1000 && !done(); ++turn) {
    for (int i = 0; i < 5; ++i) others.emplace_back(ring, none).start();
    ring.submit(true);
    ring.reap();
  }
  for (int quiet = 0; quiet < 3; quiet = ring.reap() == 0 ? quiet + 1 : 0) ring.submit(false);
  for (const Spelling& send : sends) EXPECT_EQ(send.told, Spelling::text.size());
  for (const Pair& pair : pairs) EXPECT_EQ(tests::read_available(pair.theirs), Spelling::text);
  for (const Fanning& other : others) EXPECT_EQ(other.completions, 1);
}

TEST(Ring, EachSendIsToldOfOnceHoweverFullTheQueuesAre) {
  expect_each_send_once(8);
}

TEST(Ring, EachSendIsToldOfOnceWhenTheKernelWantsItsCompletionsTakenFirst) {
  busy = true;
  expect_each_send_once(512);
  busy = false;
}

// The queue is full before its completion was looked at.
TEST(Ring, ASendWhoseFailureWasSetAsideHasNotSucceeded) {
  Ring ring(4, 64);
  const Pair pair;
  ::shutdown(pair.theirs, SHUT_RDWR);
  std::vector<Fanning*> next;
  std::deque<Fanning> all;
  for (int i = 0; i < 8; ++i) next.push_back(&all.emplace_back(ring, next));
  for (int i = 0; i < 2; ++i) {
    next.back()->start();
    next.pop_back();
  }
  Noted send;
  ring.send_now(send, pair.ours, "hello");
  ring.submit(true);
  busy = true;
  while (ring.reap() != 0) ring.submit(false);
  busy = false;
  EXPECT_EQ(send.results, std::vector<int>{-EPIPE});
}

}  // namespace
}  // namespace ringpost::io
