#include "src/io/listen.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/reactor.h"

namespace ringpost::io {
namespace {

int option(int fd, int level, int name) {
  int value = 0;
  socklen_t length = sizeof value;
  EXPECT_EQ(getsockopt(fd, level, name, &value, &length), 0);
  return value;
}

TEST(Listen, AcceptedSocketsHaveNoNagleAndABoundedSendBuffer) {
  const auto [accepted, client] = tests::tcp_pair();
  EXPECT_EQ(option(accepted, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option(accepted, SOL_SOCKET, SO_SNDBUF), 2 * 128 * 1024) << "the kernel doubles it";
  ::close(accepted);
  ::close(client);
}

// One a shard.
TEST(Listen, SeveralListenOnOnePort) {
  const int one = listen_tcp(*Address::numeric("127.0.0.1", 0), 16).value();
  const Result<int> other = listen_tcp(tests::bound_to(one), 16);
  EXPECT_TRUE(other.has_value());
  if (other) ::close(*other);
  ::close(one);
}

TEST(Listen, AnAddressThatIsNotOursIsAnErrorWithItsName) {
  const Result<int> fd = listen_tcp(*Address::numeric("192.0.2.1", 0), 16);  // RFC 5737, 3
  EXPECT_EQ(fd.error().message(), "bind: Cannot assign requested address");
}

TEST(Listen, APortThatSomebodyElseHasIsAnErrorWithItsName) {
  const int other = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const Address any = *Address::numeric("127.0.0.1", 0);
  ASSERT_EQ(::bind(other, any.data(), any.length), 0);
  ASSERT_EQ(::listen(other, 1), 0);
  const Result<int> fd = listen_tcp(tests::bound_to(other), 16);
  EXPECT_EQ(fd.error().message(), "bind: Address already in use");
  ::close(other);
}

}  // namespace
}  // namespace ringpost::io
