#include "src/io/spare_buffers.h"

#include <vector>

#include <gtest/gtest.h>

namespace ringpost::io {
namespace {

using proto::wire::Buffer;

TEST(SpareBuffers, LendsTheOneThatWasGivenBackLast) {
  SpareBuffers spare;
  Buffer buffer;
  spare.lend(buffer);
  EXPECT_EQ(buffer.capacity(), 0u) << "there is none";
  buffer.append("old");
  const char* storage = buffer.data();
  spare.take_back(buffer);
  EXPECT_EQ(buffer.capacity(), 0u);
  EXPECT_EQ(spare.size(), 1u);
  Buffer other;
  spare.lend(other);
  EXPECT_EQ(spare.size(), 0u);
  EXPECT_TRUE(other.empty()) << "nothing of what it held";
  other.append("new");
  EXPECT_EQ(other.data(), storage);
}

TEST(SpareBuffers, WhoHasABufferIsLentNone) {
  SpareBuffers spare;
  Buffer one, two;
  one.append("one");
  two.append("two");
  spare.take_back(one);
  spare.lend(two);
  EXPECT_EQ(two.view(), "two");
  EXPECT_EQ(spare.size(), 1u);
}

TEST(SpareBuffers, KeepsNeitherTooManyNorTooLargeNorEmptyOnes) {
  SpareBuffers spare;
  Buffer none;
  spare.take_back(none);
  EXPECT_EQ(spare.size(), 0u);
  Buffer large;
  large.prepare(SpareBuffers::largest + 1);
  spare.take_back(large);
  EXPECT_EQ(large.capacity(), 0u) << "it is freed";
  EXPECT_EQ(spare.size(), 0u);
  for (size_t i = 0; i < SpareBuffers::most + 10; ++i) {
    Buffer buffer;
    buffer.append('x');
    spare.take_back(buffer);
    EXPECT_EQ(buffer.capacity(), 0u);
  }
  EXPECT_EQ(spare.size(), SpareBuffers::most);
}

}  // namespace
}  // namespace ringpost::io
