#include "src/pg/crypto.h"

#include <gtest/gtest.h>

#include "tests/support/plain_crypto.h"

using namespace std::string_view_literals;

namespace ringpost::pg {
namespace {

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    text += "0123456789abcdef"[static_cast<uint8_t>(byte) >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}
std::string hex(const proto::pg::Digest& digest) {
  return hex(tests::view_of(digest));
}

const proto::pg::Crypto& crypto = openssl_crypto();

TEST(OpensslCrypto, AgreesWithTheStandards) {
  EXPECT_EQ(hex(crypto.sha256("abc")),  // FIPS 180-2, B.1
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(crypto.hmac_sha256("Jefe", "what do ya want for nothing?")),  // RFC 4231, 4.3
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hex(crypto.pbkdf2_sha256("passwd", "salt", 1)),  // RFC 7914, 11, the first 32 bytes
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
  const proto::pg::Md5Digest md5 = crypto.md5("message digest").value();  // RFC 1321, A.5
  EXPECT_EQ(hex({reinterpret_cast<const char*>(md5.data()), md5.size()}),
            "f96b697d7cb7938d525a2f31aaf161d0");
}

// Where the scripted tests of SCRAM used the plain implementation, this one does the same.
TEST(OpensslCrypto, AgreesWithThePlainOne) {
  const proto::pg::Crypto& plain = tests::plain_crypto();
  const std::string lengths[] = {"",
                                 "a",
                                 std::string(55, 'b'),
                                 std::string(56, 'c'),
                                 std::string(64, 'd'),
                                 std::string(65, 'e'),
                                 std::string(1000, '\0')};
  for (const std::string& text : lengths) {
    EXPECT_EQ(crypto.sha256(text), plain.sha256(text)) << text.size();
    EXPECT_EQ(crypto.md5(text), plain.md5(text)) << text.size();
    for (const std::string& key : lengths)
      EXPECT_EQ(crypto.hmac_sha256(key, text), plain.hmac_sha256(key, text)) << text.size();
    EXPECT_EQ(crypto.pbkdf2_sha256(text, "salt", 3), plain.pbkdf2_sha256(text, "salt", 3));
  }
}

TEST(OpensslCrypto, RandomBytesAreAsManyAndNeverTheSame) {
  EXPECT_EQ(crypto.random_bytes(0), "");
  const std::string first = crypto.random_bytes(18), second = crypto.random_bytes(18);
  EXPECT_EQ(first.size(), 18U);
  EXPECT_NE(first, second);
}

TEST(OpensslCrypto, ComparesWholeContents) {
  EXPECT_TRUE(crypto.equal("", ""));
  EXPECT_TRUE(crypto.equal("same\0bytes"sv, "same\0bytes"sv));
  EXPECT_FALSE(crypto.equal("same\0bytes"sv, "same\0bytez"sv));
  EXPECT_FALSE(crypto.equal("same", "same but longer"));
  EXPECT_FALSE(crypto.equal("", "x"));
}

}  // namespace
}  // namespace ringpost::pg
