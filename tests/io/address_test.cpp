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

TEST(Address, AHostIsTheAddressWithoutItsPort) {
  EXPECT_EQ(Address::numeric("192.0.2.1", 80)->host(), "192.0.2.1");
  EXPECT_EQ(Address::numeric("2001:db8::1", 80)->host(), "2001:db8::1");
  EXPECT_EQ(Address::numeric("::ffff:192.0.2.1", 80)->host(), "192.0.2.1");
  EXPECT_EQ(Address::unix_socket("/tmp/x")->host(), "unix");
  EXPECT_EQ(Address().host(), "unix");
}

TEST(Address, AClientIsAnAddressOrAPrefixOfSixtyFourBits) {
  const auto key = [](const char* host) { return Address::numeric(host, 80)->client_key(); };
  EXPECT_EQ(key("192.0.2.1"), 0xffff'c000'0201u);
  EXPECT_EQ(key("::ffff:192.0.2.1"), key("192.0.2.1"));
  EXPECT_NE(key("192.0.2.2"), key("192.0.2.1"));
  EXPECT_EQ(key("2001:db8:1:2::1"), 0x2001'0db8'0001'0002u);
  EXPECT_EQ(key("2001:db8:1:2:ffff::9"), key("2001:db8:1:2::1"));
  EXPECT_NE(key("2001:db8:1:3::1"), key("2001:db8:1:2::1"));
  EXPECT_EQ(Address::unix_socket("/tmp/x")->client_key(), std::nullopt);
}

}  // namespace
}  // namespace ringpost::io
