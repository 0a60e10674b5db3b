#include "src/pg/passwords.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "tests/support/certificates.h"

namespace ringpost::pg {
namespace {

using proto::pg::Conninfo, proto::pg::Host;

Conninfo conninfo_with(const std::string& passfile) {
  Conninfo conninfo;
  conninfo.hosts.resize(2);
  conninfo.hosts[0].name = "one";
  conninfo.hosts[1].name = "two";
  conninfo.hosts[1].port = 6000;
  for (Host& host : conninfo.hosts) host.password = "old " + host.name;
  conninfo.user = "alice";
  conninfo.dbname = "shop";
  conninfo.passfile = passfile;
  return conninfo;
}

TEST(Passwords, AreThoseOfTheFileAsItIsNow) {
  const tests::Folder folder;
  const std::string file = folder.write("pgpass", "one:5432:shop:alice:first\n*:6000:*:*:second\n");
  Passwords passwords(conninfo_with(file));
  EXPECT_EQ(passwords.of(0).text, "first") << "it may have changed since the settings were read";
  EXPECT_EQ(passwords.of(1).text, "second");
  folder.write("pgpass", "one:5432:shop:alice:a longer one\n");
  EXPECT_EQ(passwords.of(0).text, "a longer one");
  EXPECT_EQ(passwords.of(1).text, "") << "its line is gone";
}

TEST(Passwords, StayAsTheyWereWhileTheFileCannotBeRead) {
  const tests::Folder folder;
  const std::string file = folder.write("pgpass", "*:*:*:*:first\n");
  Passwords passwords(conninfo_with(file));
  EXPECT_EQ(passwords.of(0).text, "first");
  EXPECT_EQ(passwords.refused(), "");
  folder.write("pgpass", "*:*:*:*:second\n", 0644);
  EXPECT_EQ(passwords.of(0).text, "first");
  EXPECT_EQ(passwords.refused(), "the password file '" + file +
                                     "' is not used: others may read or write it (chmod 0600 it)");
  std::filesystem::remove(file);
  EXPECT_EQ(passwords.of(0).text, "first");
  EXPECT_EQ(passwords.refused(), "");
  folder.write("pgpass", "*:*:*:*:third\n");
  EXPECT_EQ(passwords.of(0).text, "third");
}

TEST(Passwords, AGivenOneHidesTheFile) {
  const tests::Folder folder;
  const std::string file = folder.write("pgpass", "*:*:*:*:first\n");
  Conninfo conninfo = conninfo_with(file);
  conninfo.password = "given";
  Passwords passwords(conninfo);
  EXPECT_EQ(passwords.of(1).text, "given");
  conninfo.password = "given anew";
  passwords.replace(conninfo);
  EXPECT_EQ(passwords.of(1).text, "given anew");
  conninfo.password = "";
  passwords.replace(conninfo);
  EXPECT_EQ(passwords.of(1).text, "first");
}

TEST(Passwords, DifferInNothingElse) {
  const Conninfo one = conninfo_with("/a");
  Conninfo other = conninfo_with("/b");
  other.password = "p";
  other.hosts[1].password = "q";
  EXPECT_TRUE(differ_in_passwords_alone(one, other));
  other.hosts[1].port = 6001;
  EXPECT_FALSE(differ_in_passwords_alone(one, other));
  other = one;
  other.user = "bob";
  EXPECT_FALSE(differ_in_passwords_alone(one, other));
}

}  // namespace
}  // namespace ringpost::pg
