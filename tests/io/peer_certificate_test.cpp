#include "src/io/peer_certificate.h"

#include <gtest/gtest.h>
#include <openssl/sha.h>

#include "tests/support/certificates.h"

namespace ringpost::io {
namespace {

using tests::Certificate;

TEST(PeerCertificate, ANameFitsAHost) {
  struct Case {
    std::string_view name, host;
    bool fits;
  };
  constexpr Case cases[] = {
      {"db.example", "db.example", true},
      {"DB.example", "db.EXAMPLE", true},
      {"db.example", "db.example.", false},
      {"db.example", "xdb.example", false},
      {"db.example", "db.exampl", false},
      {"*.example", "db.example", true},
      {"*.EXAMPLE", "db.example", true},
      {"*.example", "a.db.example", false},
      {"*.example", ".example", false},
      {"*.example", "example", false},
      {"*.example", "*.example", true},
      {"*.db.example", "a.db.example", true},
      {"d*.example", "db.example", false},
      {"*b.example", "db.example", false},
      {"a.*.example", "a.db.example", false},
      {"*", "example", false},
      {"*.", "example.", false},
      {"", "", true},
      {"", "example", false},
  };
  for (const Case& one : cases)
    EXPECT_EQ(name_fits(one.name, one.host), one.fits) << one.name << " " << one.host;
}

TEST(PeerCertificate, IsThatOfAHost) {
  struct Case {
    std::string common_name, alternatives, host, why;
  };
  const std::string is = "the server's certificate is that of ";
  const Case cases[] = {
      // The common name counts where there is no other of the host's kind.
      {"db.example", "", "db.example", ""},
      {"*.example", "", "db.example", ""},
      {"db.example", "", "other.example", is + "db.example, and not of other.example"},
      {"", "", "db.example", "the server's certificate names no host"},
      {"db.example", "DNS:a.example,DNS:b.example", "a.example", ""},
      {"db.example", "DNS:a.example,DNS:b.example", "b.example", ""},
      {"db.example", "DNS:a.example", "db.example", is + "a.example, and not of db.example"},
      {"db.example", "IP:10.0.0.1", "db.example", ""},
      {"db.example", "DNS:*.a.example", "x.a.example", ""},
      {"db.example", "DNS:a.example,IP:10.0.0.1", "10.0.0.2",
       is + "a.example, 10.0.0.1, and not of 10.0.0.2"},
      // Addresses.
      {"db.example", "IP:10.0.0.1", "10.0.0.1", ""},
      {"db.example", "IP:2001:db8::1", "2001:DB8:0::1", ""},
      {"db.example", "IP:2001:db8::1", "2001:db8::2", is + "2001:db8::1, and not of 2001:db8::2"},
      {"10.0.0.1", "", "10.0.0.1", ""},
      {"10.0.0.1", "DNS:a.example", "10.0.0.1", ""},
      {"10.0.0.1", "IP:10.0.0.2", "10.0.0.1", is + "10.0.0.2, and not of 10.0.0.1"},
      {"db.example", "DNS:10.0.0.1", "10.0.0.1", ""},
      {"db.example", "DNS:*.0.0.1", "10.0.0.1", is + "*.0.0.1, db.example, and not of 10.0.0.1"},
      // A name is not an address, whatever its bytes.
      {"db.example", "IP:97.46.98.99", "a.bc", is + "97.46.98.99, db.example, and not of a.bc"},
      {"db.example", "email:a@b.example", "db.example", ""},
  };
  for (const Case& one : cases) {
    const Certificate certificate(
        {.common_name = one.common_name, .alternatives = one.alternatives});
    const auto checked = check_host(certificate.x509(), one.host);
    EXPECT_EQ(checked ? "" : checked.error(), one.why) << one.host;
  }
}

TEST(PeerCertificate, ANameWithAZeroByteIsNobodys) {
  const Certificate certificate({.common_name = std::string("db.example\0.evil", 16)});
  const auto checked = check_host(certificate.x509(), "db.example");
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error(),
            "the server's certificate is that of a name with a zero byte, and not of db.example");
}

TEST(PeerCertificate, ItsHashIsBySignatureAlgorithm) {
  const auto hash = [](const Certificate& certificate, const EVP_MD* algorithm) {
    unsigned char* der = nullptr;
    const int size = i2d_X509(certificate.x509(), &der);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_size = 0;
    EVP_Digest(der, static_cast<size_t>(size), digest, &digest_size, algorithm, nullptr);
    OPENSSL_free(der);
    return std::string(reinterpret_cast<const char*>(digest), digest_size);
  };
  const std::pair<const EVP_MD*, const EVP_MD*> cases[] = {{EVP_sha256(), EVP_sha256()},
                                                           {EVP_sha384(), EVP_sha384()},
                                                           {EVP_sha512(), EVP_sha512()},
                                                           {EVP_sha1(), EVP_sha256()}};
  for (const auto& [signature, expected] : cases) {
    const Certificate certificate({.common_name = "db", .digest = signature});
    EXPECT_EQ(end_point_of(certificate.x509()), hash(certificate, expected));
  }
  const Certificate edwards({.common_name = "db", .key_type = "ED25519"});
  EXPECT_EQ(end_point_of(edwards.x509()), "");
}

}  // namespace
}  // namespace ringpost::io
