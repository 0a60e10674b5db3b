#include "src/pg/encryption.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/support/certificates.h"

namespace ringpost::pg {
namespace {

using proto::pg::Conninfo;
using SslMode = Conninfo::SslMode;
using tests::Certificate, tests::Folder;

std::string named(std::span<const Way> ways) {
  std::string text;
  for (const Way way : ways)
    text += way == Way::plain ? "plain " : way == Way::tls ? "tls " : "tls_if_offered ";
  return text;
}

TEST(Encryption, WaysToAServer) {
  const io::Address tcp = *io::Address::numeric("10.0.0.1", 5432),
                    local = *io::Address::unix_socket("/run/s");
  const std::pair<SslMode, std::string> cases[] = {{SslMode::disable, "plain "},
                                                   {SslMode::allow, "plain tls "},
                                                   {SslMode::prefer, "tls_if_offered plain "},
                                                   {SslMode::require, "tls "},
                                                   {SslMode::verify_ca, "tls "},
                                                   {SslMode::verify_full, "tls "}};
  for (const auto& [mode, expected] : cases) {
    EXPECT_EQ(named(ways_to(tcp, mode)), expected);
    EXPECT_EQ(named(ways_to(local, mode)), "plain ");
  }
}

TEST(Encryption, AsksForAHostByItsName) {
  Conninfo conninfo;
  const Encryption encryption(conninfo);
  EXPECT_EQ(encryption.sni("db.example"), "db.example");
  EXPECT_EQ(encryption.sni("10.0.0.1"), "");
  EXPECT_EQ(encryption.sni("::1"), "");
  EXPECT_EQ(encryption.sni(""), "");
  conninfo.ssl.sni = false;
  EXPECT_EQ(encryption.sni("db.example"), "");
}

class EncryptionFiles : public testing::Test {
 protected:
  EncryptionFiles() { conninfo.ssl.folder = folder.path(); }

  // What is wrong with them, or "verifies", or "does not".
  std::string outcome() {
    const auto context = Encryption(conninfo).context();
    if (!context) return context.error();
    return (*context)->verifies() ? "verifies" : "does not";
  }

  Folder folder;
  Certificate root{{.common_name = "root", .authority = true}};
  Certificate alice{{.common_name = "alice"}, &root};
  Conninfo conninfo;
  Encryption encryption{conninfo};
};

TEST_F(EncryptionFiles, WhatIsThereIsUsed) {
  for (const SslMode mode : {SslMode::allow, SslMode::prefer, SslMode::require}) {
    conninfo.sslmode = mode;
    EXPECT_EQ(outcome(), "does not");
  }
  for (const SslMode mode : {SslMode::verify_ca, SslMode::verify_full}) {
    conninfo.sslmode = mode;
    EXPECT_TRUE(outcome().starts_with("root certificate file '" + folder.path("root.crt") +
                                      "' does not exist: provide it"));
  }
  folder.write("root.crt", root.pem());
  for (const SslMode mode : {SslMode::prefer, SslMode::require, SslMode::verify_full}) {
    conninfo.sslmode = mode;
    EXPECT_EQ(outcome(), "verifies");
  }
  conninfo.ssl.rootcert = folder.path("another.crt");
  EXPECT_TRUE(outcome().starts_with("root certificate file '" + folder.path("another.crt") + "'"));
  conninfo.sslmode = SslMode::require;
  EXPECT_EQ(outcome(), "does not");
  conninfo.ssl.rootcert = "system";
  conninfo.sslmode = SslMode::verify_full;
  EXPECT_EQ(outcome(), "verifies");
}

TEST_F(EncryptionFiles, AKeyIsTheUsersAlone) {
  folder.write("postgresql.crt", alice.pem());
  EXPECT_EQ(outcome(), "certificate file '" + folder.path("postgresql.crt") +
                           "' has no private key: '" + folder.path("postgresql.key") +
                           "': No such file or directory (sslkey names another)");
  const bool root_owns_it = geteuid() == 0;
  for (const unsigned mode : {0600U, 0400U, 0640U, 0440U, 0660U, 0604U, 0644U}) {
    folder.write("postgresql.key", alice.key_pem(), mode);
    const bool fits =
        mode == 0600 || mode == 0400 || (root_owns_it && (mode == 0640 || mode == 0440));
    EXPECT_EQ(outcome(), fits ? "does not"
                              : "private key file '" + folder.path("postgresql.key") +
                                    "' may be read or written by others: chmod 0600 it (or 0640 "
                                    "where root owns it)")
        << std::oct << mode;
  }
  conninfo.ssl.certmode = Conninfo::Ssl::CertMode::disable;
  std::filesystem::remove(folder.path("postgresql.key"));
  EXPECT_EQ(outcome(), "does not") << "it is not looked at";
}

TEST_F(EncryptionFiles, AnotherFileIsReadAnew) {
  conninfo.sslmode = SslMode::verify_ca;
  folder.write("root.crt", root.pem());
  const auto first = encryption.context();
  const auto again = encryption.context();
  EXPECT_EQ(*first, *again);
  folder.write("root.crt", root.pem() + "\n");
  const auto renewed = encryption.context();
  EXPECT_NE(*first, *renewed);
  folder.write("postgresql.crt", alice.pem());
  folder.write("postgresql.key", alice.key_pem());
  const auto with_own = encryption.context();
  EXPECT_NE(*renewed, *with_own) << "a file that was not there before";
  folder.write("root.crt", "nothing");
  EXPECT_FALSE(encryption.context());
  folder.write("root.crt", root.pem());
  EXPECT_TRUE(encryption.context());
}

TEST_F(EncryptionFiles, AFaultIsTalkedOfAtTheStartWhereNothingGoesWithoutThem) {
  conninfo.ssl.rootcert = folder.write("r", "nothing");
  conninfo.hosts.resize(1);
  conninfo.hosts[0].name = "db.example";
  conninfo.sslmode = SslMode::prefer;
  EXPECT_EQ(find_tls_fault(conninfo), std::nullopt);
  conninfo.sslmode = SslMode::require;
  EXPECT_TRUE(find_tls_fault(conninfo)->starts_with("root certificate file '"));
  conninfo.hosts[0].name = "/run/postgresql";
  EXPECT_EQ(find_tls_fault(conninfo), std::nullopt);
}

}  // namespace
}  // namespace ringpost::pg
