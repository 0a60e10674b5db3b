// The same small programs on the real kernel and on the simulated one: what a program can see must
// be the same, else a simulation proves nothing.
#include "tests/simulation/kernel.h"

#include <cerrno>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/io/buffer_group.h"
#include "src/io/ring.h"
#include "tests/support/reactor.h"

namespace ringpost::simulation {

namespace {

// A ring, and what came of each operation, by its name: "receive 5 more".
class Program {
 public:
  explicit Program(Kernel* simulated) : simulated_(simulated) {}
  ~Program() {
    for (const uint16_t buffer : taken_) group_->give_back(buffer);
    if (group_) group_->publish();
  }

  // Prepares one operation; `prepare` gets the entry.
  io::Operation& begin(const std::string& name, const std::function<void(io_uring_sqe*)>& prepare) {
    operations_.emplace_back(*this, name);
    prepare(ring_.prepare(&operations_.back()));
    return operations_.back();
  }
  // Lets happen what can.
  void pause() {
    using namespace std::chrono;
    const auto due = steady_clock::now() + milliseconds(5);
    at_.tv_sec = floor<seconds>(due.time_since_epoch()).count();
    at_.tv_nsec = (due.time_since_epoch() - floor<seconds>(due.time_since_epoch())).count();
    bool over = false;
    Quiet alarm(over);
    io_uring_prep_timeout(ring_.prepare(&alarm), &at_, 0, IORING_TIMEOUT_ABS);
    while (!over) {
      ring_.submit(true);
      ring_.reap();
    }
  }
  // How long a wait for so many takes.
  std::chrono::nanoseconds wait_for(unsigned completions, std::chrono::nanoseconds limit) {
    const auto begin = std::chrono::steady_clock::now();
    ring_.submit_and_wait(completions, limit);
    ring_.reap();
    return std::chrono::steady_clock::now() - begin;
  }
  void cancel(io::Operation& operation) {
    begin("cancel", [&](io_uring_sqe* entry) {
      io_uring_prep_cancel64(entry, reinterpret_cast<uint64_t>(&operation), 0);
    });
  }
  io::Operation& receive(int fd) {
    if (!group_) group_ = std::make_unique<io::BufferGroup>(ring_, 3, 4, 8);
    return begin("receive", [&](io_uring_sqe* entry) {
      io_uring_prep_recv_multishot(entry, fd, nullptr, 0, 0);
      entry->flags |= IOSQE_BUFFER_SELECT;
      entry->buf_group = 3;
    });
  }
  io::Operation& send(int fd, std::string bytes) {
    const std::string& kept = kept_.emplace_back(std::move(bytes));
    return begin("send", [&](io_uring_sqe* entry) {
      io_uring_prep_send(entry, fd, kept.data(), kept.size(), MSG_WAITALL | MSG_NOSIGNAL);
    });
  }
  // As Ring::send_now() does.
  void send_now(int fd, std::string bytes) {
    const std::string& kept = kept_.emplace_back(std::move(bytes));
    begin("send now", [&](io_uring_sqe* entry) {
      io_uring_prep_send(entry, fd, kept.data(), kept.size(),
                         MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL);
      entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
    });
  }
  void close(int fd) {
    begin("close", [&](io_uring_sqe* entry) { io_uring_prep_close(entry, fd); });
  }

  std::pair<int, int> pair() {
    return simulated_ != nullptr ? simulated_->pair() : tests::tcp_pair();
  }
  int listen() {
    if (simulated_ != nullptr) return simulated_->listen(65'536);
    return io::listen_tcp(*io::Address::numeric("127.0.0.1", 0), 8).value();
  }
  // Somebody connects to `listening`, and stays.
  void arrive(World* world, int listening) {
    if (simulated_ != nullptr)
      return simulated_->arrive(listening,
                                links_.emplace_back(std::make_shared<Link>(*world, 1, 200us)));
    const io::Address address = tests::bound_to(listening);
    connected_.push_back(::socket(AF_INET, SOCK_STREAM, 0));
    ASSERT_EQ(::connect(connected_.back(), address.data(), address.length), 0);
  }
  void leave() {
    for (const int fd : connected_) ::close(fd);
  }

  std::string seen;
  // Results whose value is chance: how much of a send was taken, or a descriptor's number.
  bool vague = false;
  std::vector<int> results;

 private:
  class Quiet final : public io::Operation {
   public:
    explicit Quiet(bool& over) : over_(over) {}
    void complete(int, uint32_t) override { over_ = true; }

   private:
    bool& over_;
  };
  class Named final : public io::Operation {
   public:
    Named(Program& program, std::string name) : program_(program), name_(std::move(name)) {}
    void complete(int result, uint32_t flags) override {
      if ((flags & IORING_CQE_F_BUFFER) != 0) {
        program_.group_->taken();
        program_.taken_.push_back(static_cast<uint16_t>(flags >> IORING_CQE_BUFFER_SHIFT));
      }
      program_.results.push_back(result);
      program_.seen += name_ + " ";
      program_.seen += program_.vague && result > 0 ? "some" : std::to_string(result);
      program_.seen += (flags & IORING_CQE_F_MORE) != 0 ? " more, " : ", ";
    }

   private:
    Program& program_;
    std::string name_;
  };

  io::Ring ring_{64, 256};
  Kernel* simulated_;
  std::unique_ptr<io::BufferGroup> group_;
  std::vector<uint16_t> taken_;
  std::deque<Named> operations_;
  std::deque<std::string> kept_;
  std::deque<std::shared_ptr<Link>> links_;
  std::vector<int> connected_;
  __kernel_timespec at_{};
};

using Body = std::function<void(Program&, World*)>;

void expect_on_both(const std::string& expected, const Body& body) {
  {
    Program program(nullptr);
    body(program, nullptr);
    program.leave();
    EXPECT_EQ(program.seen, expected) << "on the real kernel";
  }
  World world(1, Faults());
  Kernel kernel(world, nullptr);
  Program program(&kernel);
  body(program, &world);
  EXPECT_EQ(program.seen, expected) << "on the simulated kernel";
}

TEST(Kernel, AMultishotReceiveTakesBuffersUntilThereIsNone) {
  expect_on_both(
      "send 5, receive 5 more, send 20, receive 8 more, receive 8 more, receive 4 more, send 3, "
      "receive -105, close 0, close 0, ",
      [](Program& program, World*) {
        const auto [ours, theirs] = program.pair();
        program.receive(ours);
        for (const size_t size : {5U, 20U, 3U}) {
          program.send(theirs, std::string(size, 'x'));
          program.pause();
        }
        program.close(ours);
        program.pause();
        program.close(theirs);
        program.pause();
      });
}

TEST(Kernel, AReceiveEndsWithItsPeersEnd) {
  expect_on_both("close 0, receive 0, close 0, ", [](Program& program, World*) {
    const auto [ours, theirs] = program.pair();
    program.receive(ours);
    program.close(theirs);
    program.pause();
    program.close(ours);
    program.pause();
  });
}

TEST(Kernel, AResetComesBehindWhatHasArrived) {
  expect_on_both("send 3, receive 3 more, send 5, close 0, receive -104, send -32, close 0, ",
                 [](Program& program, World*) {
                   const auto [ours, theirs] = program.pair();
                   program.receive(ours);
                   program.send(theirs, "abc");
                   program.pause();
                   program.send(ours, "later");
                   program.pause();
                   program.close(theirs);  // with bytes unread
                   program.pause();
                   program.send(ours, "more");
                   program.pause();
                   program.close(ours);
                   program.pause();
                 });
}

TEST(Kernel, WhatIsCancelledSaysSo) {
  expect_on_both("cancel 0, receive -125, cancel -2, close 0, close 0, ",
                 [](Program& program, World*) {
                   const auto [ours, theirs] = program.pair();
                   io::Operation& receive = program.receive(ours);
                   program.pause();
                   program.cancel(receive);
                   program.pause();
                   // The order of these two is the kernel's own affair.
                   if (program.seen == "receive -125, cancel 0, ")
                     program.seen = "cancel 0, receive -125, ";
                   program.cancel(receive);
                   program.pause();
                   program.close(ours);
                   program.close(theirs);
                   program.pause();
                 });
}

TEST(Kernel, ACancelledSendSaysHowMuchWasTaken) {
  expect_on_both("some, then none", [](Program& program, World*) {
    constexpr size_t size = 16 << 20;
    const auto [ours, theirs] = program.pair();
    bool some = false, none = false;
    // The real kernel's buffers grow for a while.
    for (int i = 0; i < 100 && !none; ++i) {
      program.results.clear();
      io::Operation& send = program.send(ours, std::string(size, 'x'));
      program.pause();
      program.cancel(send);
      program.pause();
      for (const int result : program.results) {
        some |= result > 0 && result < static_cast<int>(size);
        none |= result == -ECANCELED;
      }
    }
    program.close(ours);
    program.close(theirs);
    program.pause();
    program.seen = some && none ? "some, then none" : "";
  });
}

TEST(Kernel, ASendThatDoesNotWaitIsToldOfOnlyWhenItWasNotTakenWhole) {
  expect_on_both("receive 5 more, then a part, then none", [](Program& program, World*) {
    constexpr size_t size = 16 << 20;
    const auto [ours, theirs] = program.pair();
    io::Operation& receive = program.receive(theirs);
    program.send_now(ours, "hello");
    program.pause();
    const std::string first = program.seen;
    program.cancel(receive);
    program.pause();
    program.results.clear();
    // The real kernel's buffers grow for a while.
    for (int i = 0; i < 100 && (i == 0 || program.results.back() > 0); ++i) {
      program.send_now(ours, std::string(size, 'x'));
      program.pause();
    }
    const bool part = program.results.front() > 0 && program.results.front() < int{size};
    const bool none = program.results.back() == -EAGAIN;
    program.close(ours);
    program.close(theirs);
    program.pause();
    program.seen = first + (part ? "then a part, " : "") + (none ? "then none" : "");
  });
}

TEST(Kernel, AHalfClosedPeerCanBeSentTo) {
  expect_on_both("receive 0, send 2, close 0, close 0, ", [](Program& program, World*) {
    const auto [ours, theirs] = program.pair();
    program.receive(ours);
    ASSERT_EQ(::shutdown(theirs, SHUT_WR), 0);
    program.pause();
    program.send(ours, "ab");
    program.pause();
    program.close(ours);
    program.pause();
    program.close(theirs);
    program.pause();
  });
}

TEST(Kernel, AnEventIsReadWithAllThatWasAdded) {
  expect_on_both("read 8, close 0, ", [](Program& program, World*) {
    const int event = eventfd(0, EFD_CLOEXEC);
    uint64_t count = 0;
    program.begin("read", [&](io_uring_sqe* entry) {
      io_uring_prep_read(entry, event, &count, sizeof count, 0);
    });
    program.pause();
    EXPECT_EQ(program.seen, "");
    eventfd_write(event, 3);
    eventfd_write(event, 1ULL << 32);
    program.pause();
    EXPECT_EQ(count, (1ULL << 32) + 3);
    program.close(event);
    program.pause();
  });
}

TEST(Kernel, AWaitForSeveralEndsAtItsLimit) {
  expect_on_both("read 8, read 8, close 0, close 0, ", [](Program& program, World*) {
    using namespace std::chrono;
    const int events[] = {eventfd(1, EFD_CLOEXEC), eventfd(1, EFD_CLOEXEC)};
    uint64_t counts[2];
    const auto read = [&](int i) {
      program.begin("read", [&](io_uring_sqe* entry) {
        io_uring_prep_read(entry, events[i], &counts[i], sizeof counts[i], 0);
      });
    };
    read(0);
    EXPECT_LT(program.wait_for(1, milliseconds(20)), milliseconds(15));
    read(1);
    EXPECT_GE(program.wait_for(2, milliseconds(20)), milliseconds(20));
    EXPECT_GE(program.wait_for(1, milliseconds(20)), milliseconds(20));
    for (const int fd : events) program.close(fd);
    program.pause();
  });
}

TEST(Kernel, AWaitForSeveralEndsWhenATimeoutExpires) {
  expect_on_both("timeout -62, ", [](Program& program, World*) {
    using namespace std::chrono;
    const auto due = steady_clock::now().time_since_epoch() + milliseconds(5);
    __kernel_timespec at{};
    at.tv_sec = floor<seconds>(due).count();
    at.tv_nsec = (due - floor<seconds>(due)).count();
    program.begin("timeout", [&](io_uring_sqe* entry) {
      io_uring_prep_timeout(entry, &at, 0, IORING_TIMEOUT_ABS);
    });
    EXPECT_LT(program.wait_for(3, milliseconds(900)), milliseconds(800));
  });
}

TEST(Kernel, ATimeoutIsMovedAndTakenBack) {
  expect_on_both("move 0, timeout -62, move -2, cancel 0, timeout -125, ",
                 [](Program& program, World*) {
                   using namespace std::chrono;
                   __kernel_timespec far{}, near{};
                   far.tv_sec = floor<seconds>(steady_clock::now().time_since_epoch()).count() + 60;
                   near.tv_sec = far.tv_sec - 61;
                   const auto begin = [&] {
                     return &program.begin("timeout", [&](io_uring_sqe* entry) {
                       io_uring_prep_timeout(entry, &far, 0, IORING_TIMEOUT_ABS);
                     });
                   };
                   const auto move = [&](io::Operation* timeout) {
                     program.begin("move", [&](io_uring_sqe* entry) {
                       io_uring_prep_timeout_update(
                           entry, &near, reinterpret_cast<uint64_t>(timeout), IORING_TIMEOUT_ABS);
                     });
                   };
                   io::Operation* timeout = begin();
                   program.pause();
                   move(timeout);
                   program.pause();
                   move(timeout);
                   program.pause();
                   io::Operation* second = begin();
                   program.cancel(*second);
                   program.pause();
                   const std::string other = "timeout -125, cancel 0, ";
                   if (program.seen.ends_with(other))
                     program.seen.replace(program.seen.size() - other.size(), other.size(),
                                          "cancel 0, timeout -125, ");
                 });
}

TEST(Kernel, AListenerIsPolledAndAcceptedFrom) {
  expect_on_both(
      "poll 1, accept some, close 0, close 0, close 0, ", [](Program& program, World* world) {
        program.vague = true;
        const int listening = program.listen();
        program.begin(
            "poll", [&](io_uring_sqe* entry) { io_uring_prep_poll_add(entry, listening, POLLIN); });
        program.pause();
        EXPECT_EQ(program.seen, "");
        program.arrive(world, listening);
        program.arrive(world, listening);
        program.pause();
        EXPECT_EQ(program.seen, "poll some, ");
        program.seen = "poll 1, ";
        program.begin("accept", [&](io_uring_sqe* entry) {
          io_uring_prep_accept(entry, listening, nullptr, nullptr, SOCK_NONBLOCK);
        });
        program.pause();
        const int second = ::accept4(listening, nullptr, nullptr, SOCK_NONBLOCK);
        EXPECT_GT(second, 0);
        EXPECT_EQ(::accept4(listening, nullptr, nullptr, SOCK_NONBLOCK), -1);
        EXPECT_EQ(errno, EAGAIN);
        program.close(second);
        program.close(program.results.back());
        program.close(listening);
        program.pause();
      });
}

TEST(Kernel, AMultishotAcceptGoesOn) {
  expect_on_both("accept some more, accept some more, cancel 0, accept -125, close 0, ",
                 [](Program& program, World* world) {
                   program.vague = true;
                   const int listening = program.listen();
                   io::Operation& accept = program.begin("accept", [&](io_uring_sqe* entry) {
                     io_uring_prep_multishot_accept(entry, listening, nullptr, nullptr, 0);
                   });
                   for (int i = 0; i < 2; ++i) {
                     program.arrive(world, listening);
                     program.pause();
                   }
                   program.cancel(accept);
                   program.pause();
                   const std::string other = "accept -125, cancel 0, ";
                   if (program.seen.ends_with(other))
                     program.seen.replace(program.seen.size() - other.size(), other.size(),
                                          "cancel 0, accept -125, ");
                   for (const int fd : std::vector<int>(program.results))
                     if (fd > 0) ::close(fd);
                   program.close(listening);
                   program.pause();
                 });
}

}  // namespace
}  // namespace ringpost::simulation
