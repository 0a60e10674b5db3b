// The exchange of RFC 7677, 3, but for the user's name, which PostgreSQL's clients leave empty;
// proof and signature were worked out with Python's hashlib and hmac.
#include "proto/pg/scram.h"

#include <expected>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/plain_crypto.h"

using namespace std::string_view_literals;

namespace ringpost::proto::pg {
namespace {

using tests::plain_crypto;

constexpr std::string_view nonce_bytes =
    "\xac\xea\x6b\x34\x67\xf0\x11\xb7\x91\x5a\x06\xcd\x12\x4a\x8e"sv;
constexpr std::string_view server_first =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
constexpr std::string_view client_final =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=qvT2SWdEH5Q06albL+"
    "hjSYuUhCG7VndFyzIb7CK4n9k=";
constexpr std::string_view server_final = "v=3HO6Qt1M4MKJrmlKaoOqLAI0/0TV0HZe7J9H3MBtSOg=";

class ScramTest : public testing::Test {
 protected:
  ScramTest() { tests::next_random() = nonce_bytes; }

  // The client-final-message, or what is wrong with the server's.
  static std::expected<std::string, std::string> answer(Scram& scram, std::string_view first) {
    if (const auto taken = scram.take_first(first); !taken) return std::unexpected(taken.error());
    const Scram::Salting made_of = scram.salting();
    return scram.respond(
        plain_crypto().pbkdf2_sha256(made_of.password, made_of.salt, made_of.iterations));
  }
};

TEST_F(ScramTest, ProvesThatBothKnowThePassword) {
  Scram scram(plain_crypto(), "pencil");
  EXPECT_EQ(scram.first_message(), "n,,n=,r=rOprNGfwEbeRWgbNEkqO");
  const auto response = answer(scram, server_first);
  ASSERT_TRUE(response) << response.error();
  EXPECT_EQ(*response, client_final);
  const auto verified = scram.take_final(server_final);
  EXPECT_TRUE(verified) << verified.error();
}

TEST_F(ScramTest, PreparesThePassword) {
  Scram scram(plain_crypto(),
              "I\xc2\xadX \xe2\x85\xa8");  // a soft hyphen; IX as one character: "IX IX"
  EXPECT_EQ(answer(scram, server_first).value(),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=AVbcJi1KIhfqX0eCw+"
            "4hwDakIo0G0xqVxx47joR1QVo=");
  EXPECT_TRUE(scram.take_final("v=IBtto4ndFXqSKQRWf9/4cSYKD8VlvA88aiw0P+FQgrc="));
}

TEST_F(ScramTest, UsesAPasswordThatIsNoUtf8AsItIs) {
  Scram scram(plain_crypto(), "\xff\xfe raw");
  EXPECT_EQ(answer(scram, server_first).value(),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=aXGX2IMMw6JwpF5ZXUtFyy7/"
            "kLFpkKw6etnKdf5g0aw=");
}

// Of the same exchange, worked out with Python's hashlib and hmac; the end point is 32 bytes of
// "e".
TEST_F(ScramTest, BindsToTheServersCertificate) {
  Scram scram(plain_crypto(), "pencil", Scram::Binding::bound, std::string(32, 'e'));
  EXPECT_EQ(scram.mechanism(), "SCRAM-SHA-256-PLUS");
  EXPECT_EQ(scram.first_message(), "p=tls-server-end-point,,n=,r=rOprNGfwEbeRWgbNEkqO");
  EXPECT_EQ(answer(scram, server_first).value(),
            "c=cD10bHMtc2VydmVyLWVuZC1wb2ludCwsZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWU=,"
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=n8QTAYIx/dLGKL/"
            "SIkJ+MlywmT5LM+uya3L+A2XR1bM=");
  EXPECT_TRUE(scram.take_final("v=sQl0VeT0Xkd3Aqr6FjDl8O2Q27dyoO/uIcNDYkUyTNs="));
}

TEST_F(ScramTest, SaysThatItWouldHaveBound) {
  Scram scram(plain_crypto(), "pencil", Scram::Binding::not_offered);
  EXPECT_EQ(scram.mechanism(), "SCRAM-SHA-256");
  EXPECT_EQ(scram.first_message(), "y,,n=,r=rOprNGfwEbeRWgbNEkqO");
  EXPECT_EQ(answer(scram, server_first).value(),
            "c=eSws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p="
            "VpuC5DGQa5ro9tXE9MnKs69NH1nxnuregZZcclqIGfM=");
  EXPECT_TRUE(scram.take_final("v=FOmOj9BpTGwvnzwBtWQjBaPmVxT9I8IeHBOhcIPu3us="));
}

TEST_F(ScramTest, HasANonceOfItsOwnEachTime) {
  Scram first(plain_crypto(), "pencil");
  tests::next_random() = "another nonce..";
  Scram second(plain_crypto(), "pencil");
  EXPECT_NE(first.first_message(), second.first_message());
}

TEST_F(ScramTest, RefusesAServersFirstMessage) {
  struct Case {
    std::string_view message, why;
  };
  constexpr std::string_view malformed = "the server's first SCRAM message is malformed";
  constexpr std::string_view not_ours = "the server's SCRAM nonce does not continue ours";
  constexpr std::string_view salt = "the server's SCRAM salt is malformed";
  constexpr std::string_view count = "the server's SCRAM iteration count is malformed";
  constexpr Case cases[] = {
      {"", malformed},
      {"r=", malformed},
      {"s=W22ZaJ0SNY7soEsUEjb6gQ==,r=rOprNGfwEbeRWgbNEkqOx,i=4096", malformed},
      {"r=rOprNGfwEbeRWgbNEkqOx,i=4096", malformed},
      {"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==", malformed},
      {"r=rOprNGfwEbeRWgbNEkqOx;s=W22ZaJ0SNY7soEsUEjb6gQ==;i=4096", malformed},
      {"m=ext,r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=1",
       "the server asks for a SCRAM extension that is unknown"},
      {"r=,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", not_ours},
      {"r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", not_ours},
      {"r=xOprNGfwEbeRWgbNEkqO%hvY,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", not_ours},
      {"r=rOprNGfwEbeRWgbNEkq,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", not_ours},
      {"r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096", salt},
      {"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ=,i=4096", salt},
      {"r=rOprNGfwEbeRWgbNEkqOx,s=W22*aJ0SNY7soEsUEjb6gQ==,i=4096", salt},
      {"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=", count},
      {"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0", count},
      {"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=-1", count},
      {"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096x", count},
      {"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4294967297", count},
      {"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1000001",
       "the server asks for 1000001 SCRAM iterations, more than 1000000"},
  };
  for (const Case& one : cases) {
    Scram scram(plain_crypto(), "pencil");
    const auto response = answer(scram, one.message);
    ASSERT_FALSE(response) << one.message;
    EXPECT_EQ(response.error(), one.why) << one.message;
  }
}

TEST_F(ScramTest, RefusesAServerThatDoesNotKnowThePassword) {
  struct Case {
    std::string_view message, why;
  };
  constexpr std::string_view malformed = "the server's last SCRAM message is malformed";
  constexpr std::string_view wrong =
      "the server's SCRAM signature is wrong: it does not know this password";
  constexpr Case cases[] = {
      {"", malformed},
      {"v", malformed},
      {"x=AAAA", malformed},
      {"v=3HO6Qt1M4MKJrmlKaoOqLAI0/0TV0HZe7J9H3MBtSOg", malformed},
      {"v=", wrong},
      {"v=AAAA", wrong},
      {"v=4HO6Qt1M4MKJrmlKaoOqLAI0/0TV0HZe7J9H3MBtSOg=", wrong},
      {"v=3HO6Qt1M4MKJrmlKaoOqLAI0/0TV0HZe7J9H3MBtSOgA", wrong},
      {"e=invalid-proof", "the server refuses the SCRAM exchange: invalid-proof"},
  };
  for (const Case& one : cases) {
    Scram scram(plain_crypto(), "pencil");
    ASSERT_TRUE(answer(scram, server_first));
    const auto verified = scram.take_final(one.message);
    ASSERT_FALSE(verified) << one.message;
    EXPECT_EQ(verified.error(), one.why) << one.message;
  }
}

// The crypto that these tests stand on, against vectors of the standards.
TEST(PlainCrypto, AgreesWithTheStandards) {
  const auto hex = [](const auto& digest) {
    std::string text;
    for (const uint8_t byte : digest) {
      text += "0123456789abcdef"[byte >> 4];
      text += "0123456789abcdef"[byte & 15];
    }
    return text;
  };
  EXPECT_EQ(hex(tests::plain_sha256("abc")),  // FIPS 180-2, B.1
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(tests::plain_hmac_sha256("Jefe", "what do ya want for nothing?")),  // RFC 4231, 4.3
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(
      hex(tests::plain_pbkdf2_sha256("passwd", "salt", 1)),  // RFC 7914, 11, the first 32 bytes
      "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
  EXPECT_EQ(hex(*tests::plain_md5("message digest")),  // RFC 1321, A.5
            "f96b697d7cb7938d525a2f31aaf161d0");
}

}  // namespace
}  // namespace ringpost::proto::pg
