#include "proto/pg/conninfo_files.h"

#include <gtest/gtest.h>

#include "tests/proto/pg/conninfo_context.h"

namespace ringpost::proto::pg {
namespace {

// What service `orders` of a file with this text sets.
std::string service(std::string_view text) {
  Settings settings;
  const auto found = add_service(settings, text, "orders", "/s");
  if (!found) return "error: " + found.error();
  return *found ? "found: " + summary(settings) : "none";
}

TEST(ConninfoFiles, AServiceIsAGroupOfSettings) {
  constexpr SettingsCase cases[] = {
      {"", "none"},
      {"host=h\n", "none"},
      {"[other]\nhost=h\n", "none"},
      {"[Orders]\nhost=h\n", "none"},
      {"[orders\nhost=h\n", "none"},
      {"[orders2]\nhost=h\n", "none"},
      {"[orders]", "found: "},
      {"[orders]\nhost=h\nport=1", "found: host=h port=1"},
      {"# c\n\n[other]\nuser=x\n [orders] \r\n  host=h \r\n\t# c\n\nport=1\n[third]\nuser=y\n",
       "found: host=h port=1"},
      {"[orders]\nhost=a\nhost=b\n[orders]\nuser=c\n", "found: host=a"},
      {"[orders]\npassword= a=b\n", "found: password= a=b"},
      {"[orders]\nhost=\n", "found: host="},
      {"[other]\nnonsense\n[orders]\nhost=h\n[last]\nnonsense\n", "found: host=h"},
      {"[orders]\nhost\n", "error: service file '/s', line 2: it is no name=value"},
      {"[orders]\n\n#\nsecret=1\n",
       "error: service file '/s', line 4: what stands before = is no setting that libpq knows"},
      {"[orders]\nhost = h\n",
       "error: service file '/s', line 2: what stands before = is no setting that libpq knows"},
      {"[orders]\nservice=x\n", "error: service file '/s', line 2: a service can't name another"},
      {"[orders]\nldap://h/d\n",
       "error: service file '/s', line 2: services from LDAP are not supported"},
  };
  for (const auto& one : cases) EXPECT_EQ(service(one.text), one.expected) << one.text;
}

// Of alice in shop at db:5432, or "none".
std::string password(std::string_view text) {
  return find_password(text, "db", "5432", "shop", "alice").value_or("none");
}

TEST(ConninfoFiles, APasswordIsThatOfTheFirstLineThatFits) {
  constexpr SettingsCase cases[] = {
      {"", "none"},
      {"db:5432:shop:alice:secret", "secret"},
      {"db:5432:shop:alice:secret\r\n", "secret"},
      {"*:*:*:*:secret\n", "secret"},
      {"db:*:shop:*:secret\n", "secret"},
      {"other:5432:shop:alice:x\ndb:5433:shop:alice:x\ndb:5432:other:alice:x\n"
       "db:5432:shop:bob:x\ndb:5432:shop:alice:secret\n*:*:*:*:y\n",
       "secret"},
      {"#db:5432:shop:alice:secret\n", "none"},
      {" db:5432:shop:alice:secret\n", "none"},
      {"db:5432:shop:alice\n", "none"},
      {"db2:5432:shop:alice:secret\n", "none"},
      {"d:5432:shop:alice:secret\n", "none"},
      {"**:5432:shop:alice:secret\n", "none"},
      {"db:5432:shop:alice:\n", ""},
      {"db:5432:shop:alice:se\\:cr\\\\et\n", "se:cr\\et"},
      {"db:5432:shop:alice:se:cret\n", "se"},
      {"db:5432:shop:alice:secret\\\n", "secret\\"},
      {"\\d\\b:5432:shop:alice:secret\n", "secret"},
      {"db\\:5432:shop:alice:secret\n", "none"},
      {"db:5432:shop:alice: secret \n", " secret "},
  };
  for (const auto& one : cases) EXPECT_EQ(password(one.text), one.expected) << one.text;
  EXPECT_EQ(find_password("#db:1:d:u:p", "#db", "1", "d", "u"), std::nullopt) << "a comment";
  EXPECT_EQ(find_password("\\:\\:1:1:d\\\\:u:p", "::1", "1", "d\\", "u"), "p");
}

}  // namespace
}  // namespace ringpost::proto::pg
