#include "proto/wire/buffer.h"

#include <string>

#include <gtest/gtest.h>

namespace ringpost::proto::wire {
namespace {

TEST(Buffer, AppendsAndConsumesInOrder) {
  Buffer buffer;
  buffer.append("abc");
  buffer.append('d');
  EXPECT_EQ(buffer.view(), "abcd");
  buffer.consume(2);
  EXPECT_EQ(buffer.view(), "cd");
  buffer.append("ef");
  EXPECT_EQ(buffer.view(), "cdef");
}

TEST(Buffer, GrowsWithoutLosingBytes) {
  Buffer buffer;
  std::string expected;
  for (int i = 0; i < 5000; ++i) {
    const std::string piece = std::to_string(i) + ",";
    buffer.append(piece);
    expected += piece;
    if (i % 3 == 0) {
      buffer.consume(2);
      expected.erase(0, 2);
    }
  }
  EXPECT_EQ(buffer.view(), expected);
}

TEST(Buffer, ConsumedFrontIsUsedAgainBeforeTheStorageGrows) {
  Buffer buffer;
  buffer.append(std::string(500, 'x'));
  ASSERT_EQ(buffer.capacity(), 512u);
  buffer.consume(490);
  buffer.append(std::string(300, 'y'));
  EXPECT_EQ(buffer.capacity(), 512u);
  EXPECT_EQ(buffer.view(), std::string(10, 'x') + std::string(300, 'y'));
}

TEST(Buffer, ReleaseGivesTheStorageBack) {
  Buffer buffer;
  buffer.append("abc");
  buffer.release();
  EXPECT_EQ(buffer.capacity(), 0u);
  EXPECT_TRUE(buffer.empty());
  buffer.append("d");
  EXPECT_EQ(buffer.view(), "d");
}

TEST(Buffer, TruncateDropsTheTail) {
  Buffer buffer;
  buffer.append("abcdef");
  buffer.consume(1);
  buffer.truncate(2);
  EXPECT_EQ(buffer.view(), "bc");
}

TEST(Buffer, MoveLeavesTheSourceEmpty) {
  Buffer from;
  from.append("abc");
  Buffer to(std::move(from));
  EXPECT_EQ(to.view(), "abc");
  from = std::move(to);
  EXPECT_EQ(from.view(), "abc");
}

}  // namespace
}  // namespace ringpost::proto::wire
