#include "proto/http/authority.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace ringpost::proto::http {
namespace {

TEST(Authority, IsANameOrAnAddressAndMayHaveAPort) {
  for (const std::string_view text : {"a", "a.example", "A-b_c~d.", "127.0.0.1", "999.1", "%41b",
                                      "a%2Cb", "!$&'()*+,;=", "a:", "a:0", "a:8080", "a:00080"})
    EXPECT_TRUE(is_authority(text)) << text;
  for (const std::string_view text :
       {"",    ":",    ":80",   "a:b",  "a:80:80", "a:-1", "a:+1", "a: 80",
        "%",   "a%4",  "a%4g",  "a%:1", "a b",     "a/b",  "a?b",  "a#b",
        "u@a", "a\\b", "\"a\"", "a|b",  "a\tb",    "::1",  "\xe9"})
    EXPECT_FALSE(is_authority(text)) << text;
}

TEST(Authority, TakesEveryFormOfIpv6) {
  for (const std::string_view address :
       {"::", "::1", "1::", "1:2:3:4:5:6:7:8", "2001:DB8:0:0:8:800:200c:417a", "1::8", "1:2::7:8",
        "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3::5:6:7:8", "::ffff:192.0.2.1", "::1.2.3.4",
        "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5::1.2.3.4", "::0.0.0.0", "::255.255.255.255",
        "00ab::0000"})
    for (const std::string_view port : {"", ":", ":80"}) {
      const std::string text = "[" + std::string(address) + "]" + std::string(port);
      EXPECT_TRUE(is_authority(text)) << text;
    }
}

TEST(Authority, RefusesWhatIsNoIpv6) {
  for (const std::string_view address : {"",
                                         ":",
                                         ":::",
                                         "1",
                                         "1.2.3.4",
                                         "a.b",
                                         "1:2:3:4:5:6:7",
                                         "1:2:3:4:5:6:7:8:9",
                                         ":1",
                                         "1:",
                                         ":1::",
                                         "::1:",
                                         "1::2::3",
                                         "1:::2",
                                         ":::1",
                                         "1:2:3:4::5:6:7:8",
                                         "::1:2:3:4:5:6:7:8",
                                         "12345::",
                                         "::g",
                                         "::1 ",
                                         "fe80::1%25eth0",
                                         "v1.a",
                                         "1.2.3.4::",
                                         "::1.2.3.4:1",
                                         "::1.2.3",
                                         "::1.2.3.4.5",
                                         "::1.2.3.256",
                                         "::1.2.3.04",
                                         "::1.2.3.",
                                         "::.1.2.3",
                                         "::1..2.3",
                                         "1:2:3:4:5:6:7:1.2.3.4",
                                         "1:2:3:4:5:1.2.3.4",
                                         "[::1]"}) {
    const std::string text = "[" + std::string(address) + "]";
    EXPECT_FALSE(is_authority(text)) << text;
  }
  for (const std::string_view text :
       {"[::1", "::1]", "[]", "[", "[::1]a", "[::1]:a", "[::1]]", "x[::1]", "[::1]:1:1"})
    EXPECT_FALSE(is_authority(text)) << text;
}

}  // namespace
}  // namespace ringpost::proto::http
