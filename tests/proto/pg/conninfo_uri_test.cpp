#include <gtest/gtest.h>

#include "tests/proto/pg/conninfo_context.h"

namespace ringpost::proto::pg {
namespace {

TEST(ConninfoUri, IsReadAsLibpqReadsIt) {
  constexpr SettingsCase cases[] = {
      {"postgresql://", ""},
      {"postgres://", ""},
      {"postgresql://localhost", "host=localhost"},
      {"postgresql://localhost:5433", "host=localhost port=5433"},
      {"postgresql://localhost:", "host=localhost"},
      {"postgresql://localhost/mydb", "dbname=mydb host=localhost"},
      {"postgresql://user@localhost", "user=user host=localhost"},
      {"postgresql://user:secret@localhost", "user=user password=secret host=localhost"},
      {"postgresql://user:@localhost", "user=user host=localhost"},
      {"postgresql://:secret@localhost", "password=secret host=localhost"},
      {"postgresql://other@localhost/otherdb?connect_timeout=10&application_name=myapp",
       "user=other connect_timeout=10 dbname=otherdb host=localhost application_name=myapp"},
      {"postgresql://host1:123,host2:456/somedb", "dbname=somedb host=host1,host2 port=123,456"},
      {"postgresql://host1,host2:456/somedb", "dbname=somedb host=host1,host2 port=,456"},
      {"postgresql://host1,host2", "host=host1,host2 port=,"},
      {"postgresql://[2001:db8::1234]/database", "dbname=database host=2001:db8::1234"},
      {"postgresql://[::1]:5433,b/database", "dbname=database host=::1,b port=5433,"},
      {"postgresql:///dbname?host=/var/lib/postgresql", "dbname=dbname host=/var/lib/postgresql"},
      {"postgresql://%2Fvar%2Frun/dbname", "dbname=dbname host=/var/run"},
      {"postgresql://h1%2Ch2", "host=h1,h2"},
      {"postgresql://u%40x:p%3Aq%2F%25@h/d%20b", "user=u@x password=p:q/% dbname=d b host=h"},
      {"postgresql://h?user=u&password=p", "user=u password=p host=h"},
      {"postgresql://h/d?", "dbname=d host=h"},
      {"postgresql://h/d/e", "dbname=d/e host=h"},
      {"postgresql://h?user=u&", "user=u host=h"},
      {"postgresql://h?%75ser=u", "user=u host=h"},
      {"postgresql://h?user=a&user=b", "user=b host=h"},
      {"postgresql://h?password=", "password= host=h"},
  };
  for (const auto& one : cases)
    EXPECT_EQ(summary(parse_connection_string(one.text)), one.expected) << one.text;
}

// What ends a user and a password: the first @, if no / stands before it.
TEST(ConninfoUri, KeepsWhatAPasswordHas) {
  constexpr SettingsCase cases[] = {
      {"postgresql://u:p?q@h/d", "user=u password=p?q dbname=d host=h"},
      {"postgresql://u:p?sslmode=x&y@h", "user=u password=p?sslmode=x&y host=h"},
      {"postgresql://u:p,q:r@h", "user=u password=p,q:r host=h"},
      {"postgresql://u:p[q@h", "user=u password=p[q host=h"},
      {"postgresql://u:p=q@h", "user=u password=p=q host=h"},
      {"postgresql://u:p@q@h", "user=u password=p host=q@h"},
      {"postgresql://u:1/q@h", "dbname=q@h host=u port=1"},
  };
  for (const auto& one : cases)
    EXPECT_EQ(summary(parse_connection_string(one.text)), one.expected) << one.text;
}

TEST(ConninfoUri, TakesOldNamesAndThoseOfJdbc) {
  constexpr SettingsCase cases[] = {
      {"postgresql://h?ssl=true", "host=h sslmode=require"},
      {"postgresql://h?requiressl=1", "host=h sslmode=require"},
      {"postgresql://h?requiressl=0", "host=h sslmode=prefer"},
      {"postgresql://h?ssl=false", "error: 'ssl' is no setting that libpq knows"},
  };
  for (const auto& one : cases)
    EXPECT_EQ(summary(parse_connection_string(one.text)), one.expected) << one.text;
}

// Since PostgreSQL 18.
TEST(ConninfoUri, LeavesOutBlanksAroundItsParts) {
  constexpr SettingsCase cases[] = {
      {"postgresql:// u : p @ h : 1 / d ? port = 2 ", "user=u password=p dbname=d host=h port=2"},
      {"postgresql://u:p q@h", "error: the URI's password has a blank, which is written %20"},
      {"postgresql://h?options=-c a", "error: the URI's query has a blank, which is written %20"},
  };
  for (const auto& one : cases)
    EXPECT_EQ(summary(parse_connection_string(one.text)), one.expected) << one.text;
}

TEST(ConninfoUri, SaysWhatIsWrongAndShowsNoneOfIt) {
  const std::string escape =
      " has a % that begins no percent-encoded character (a % itself is written %25)";
  const std::string hidden =
      "it names a setting that libpq does not know (which is not shown: it may be a part of a "
      "password; a value with blanks is written in single quotes)";
  const std::pair<std::string_view, std::string> cases[] = {
      {"http://localhost/db", "it is a URI that does not begin with postgresql:// or postgres://"},
      {"u:secret@h://", "it is a URI that does not begin with postgresql:// or postgres://"},
      {"postgresql://h/d?sslmode", "a parameter of the URI has no value; write name=value"},
      {"postgresql://h/d?user=u&&port=1", "a parameter of the URI has no value; write name=value"},
      {"postgresql://h/d?options=-c%20a=b",
       "a parameter of the URI has two =; one in a value is written %3D"},
      {"postgresql://h/d%", "the URI's dbname" + escape},
      {"postgresql://h/d%2", "the URI's dbname" + escape},
      {"postgresql://h/d%00x", "the URI's dbname" + escape},
      {"postgresql://u%zz@h/d", "the URI's user" + escape},
      {"postgresql://u:secret%-1@h/d", "the URI's password" + escape},
      {"postgresql://u:secret%+1@h/d", "the URI's password" + escape},
      {"postgresql://h%zz", "the URI's host" + escape},
      {"postgresql://h?%zz=1", "the URI's query" + escape},
      {"postgresql://[::1/d", "an address of the URI has no closing ]"},
      {"postgresql://[]/d", "an address of the URI is empty between [ and ]"},
      {"postgresql://[::1]5432/d",
       "what follows a ] of the URI is neither : nor / nor ? nor a comma"},
      {"postgresql://h?nonsense=1", "'nonsense' is no setting that libpq knows"},
      {"postgresql://h?SSLMODE=require", "'SSLMODE' is no setting that libpq knows"},
      // The password is 1/ab?cd=ef, or a&cret=x.
      {"postgresql://u:1/ab?cd=ef@h/d", hidden},
      {"postgresql://h?password=a&cret=x", hidden},
      {"postgresql://h?sslpassword=a&cret=x", hidden},
  };
  for (const auto& [text, expected] : cases)
    EXPECT_EQ(summary(parse_connection_string(text)), "error: " + expected) << text;
}

}  // namespace
}  // namespace ringpost::proto::pg
