#include "src/io/reactor.h"

#include <thread>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/io/stream.h"
#include "tests/support/reactor.h"

namespace ringpost::io {
namespace {

using namespace std::chrono_literals;

// What a process that reads with a deadline of 100 ms ends with: 0 when it got the bytes.
[[noreturn]] void read_in_time(int fd, int ready) {
  int status = 1;
  tests::run_on_reactor([&](Reactor& reactor) -> Task<void> {
    tests::Buffers buffers(reactor);
    Stream stream(reactor, buffers, fd, 1s);
    EXPECT_EQ(::write(ready, "r", 1), 1);
    const auto bytes = co_await stream.read({reactor.now() + 100ms});
    if (bytes.has_value() && *bytes == "x") status = 0;
    co_await stream.close();
  });
  _exit(status);
}

// Stopped (SIGSTOP, a suspended machine) while it waits, past the deadline; the bytes came
// meanwhile, and are no later than the reader.
TEST(Reactor, WhatHasComeIsTakenBeforeItIsCalledLate) {
  const auto [ours, theirs] = tests::socket_pair();
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) read_in_time(ours, ready[1]);
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  std::this_thread::sleep_for(20ms);
  kill(child, SIGSTOP);
  int status = 0;
  waitpid(child, &status, WUNTRACED);
  ASSERT_EQ(::write(theirs, "x", 1), 1);
  std::this_thread::sleep_for(200ms);
  kill(child, SIGCONT);
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  for (const int fd : {ours, theirs, ready[0], ready[1]}) ::close(fd);
}

}  // namespace
}  // namespace ringpost::io
