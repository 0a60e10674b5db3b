#include "src/io/address.h"

#include <cstddef>

#include <gtest/gtest.h>
#include <sys/un.h>

namespace ringpost::io {
namespace {

TEST(Address, UnixSocketPathsHaveALimit) {
  EXPECT_EQ(Address::unix_socket("/tmp/x")->text(), "/tmp/x");
  EXPECT_TRUE(Address::unix_socket(std::string(107, 'x')).has_value());
  EXPECT_FALSE(Address::unix_socket(std::string(108, 'x')).has_value());
}

TEST(Address, NumericOnesOfBothFamilies) {
  EXPECT_EQ(Address::numeric("127.0.0.1", 5432)->text(), "127.0.0.1:5432");
  EXPECT_EQ(Address::numeric("127.0.0.1", 5432)->family(), AF_INET);
  EXPECT_EQ(Address::numeric("::1", 80)->text(), "[::1]:80");
  EXPECT_EQ(Address::numeric("::1", 80)->family(), AF_INET6);
  EXPECT_FALSE(Address::numeric("localhost", 80).has_value());
  EXPECT_FALSE(Address::numeric("127.0.0.1:80", 80).has_value());
  EXPECT_FALSE(Address::numeric("", 80).has_value());
}

TEST(Address, AnAbstractNameHasNoZeroByteAtItsEnd) {
  const Address name = *Address::unix_socket("@name");
  EXPECT_EQ(name.text(), "@name");
  EXPECT_EQ(name.length, offsetof(sockaddr_un, sun_path) + 5);
  EXPECT_EQ(Address::unix_socket("/name")->length, offsetof(sockaddr_un, sun_path) + 6);
}

}  // namespace
}  // namespace ringpost::io
