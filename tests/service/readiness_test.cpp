#include "src/service/readiness.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/support/sockets.h"

namespace ringpost::service {
namespace {

constexpr std::string_view asked = "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n",
                           yes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                           no = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}";

TEST(Readiness, IsThatOfAllShards) {
  Readiness readiness;
  const int one = readiness.connect(), other = readiness.connect();
  EXPECT_FALSE(readiness.step());
  EXPECT_EQ(tests::read_available(one), asked);
  EXPECT_EQ(tests::read_available(other), asked);
  tests::write_all(one, yes);
  EXPECT_FALSE(readiness.step());
  tests::write_all(other, yes);
  EXPECT_TRUE(readiness.step());
  EXPECT_EQ(tests::read_available(one), "") << "who is ready is not asked again";
  ::close(one);
  ::close(other);
}

TEST(Readiness, AsksAgainWhoIsNotReady) {
  Readiness readiness;
  const int shard = readiness.connect();
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(readiness.step());
    EXPECT_EQ(tests::read_available(shard), asked);
    tests::write_all(shard, no);
    EXPECT_FALSE(readiness.step());
  }
  EXPECT_FALSE(readiness.step());
  tests::read_available(shard);
  // In pieces.
  for (const char c : yes) {
    EXPECT_FALSE(readiness.step());
    tests::write_all(shard, {&c, 1});
  }
  EXPECT_TRUE(readiness.step());
  ::close(shard);
}

}  // namespace
}  // namespace ringpost::service
