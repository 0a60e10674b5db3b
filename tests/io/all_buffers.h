// Whether a buffer group still has all of its buffers, once those who received from it have ended.
#pragma once

#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "src/io/receiver.h"
#include "tests/support/reactor.h"
#include "tests/support/sockets.h"

namespace ringpost::tests {

// None of `count` buffers of `size` bytes is missing: a receiver gets them all at once.
inline io::Task<void> expect_all_buffers(io::Reactor& reactor, io::BufferGroup& group,
                                         unsigned count, unsigned size) {
  co_await turn(reactor);
  const auto [ours, theirs] = socket_pair();
  io::Receiver receiver(reactor, group, ours);
  write_all(theirs, std::string(size_t{count} * size, 'a'));
  auto reading = receiver.read({reactor.now() + std::chrono::seconds(2)});
  const io::Result<std::string_view> bytes = co_await reading;
  EXPECT_EQ(bytes.value_or("").size(), size) << "all buffers are missing";
  for (int i = 0; i < 5; ++i) co_await turn(reactor);
  EXPECT_EQ(receiver.state(), io::Receiver::State::armed) << "a buffer is missing";
  receiver.begin_close();
  auto closed = receiver.closed();
  co_await closed;
  ::close(ours);
  ::close(theirs);
}

}  // namespace ringpost::tests
