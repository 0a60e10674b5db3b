#include <gtest/gtest.h>

#include "tests/proto/pg/conninfo_context.h"

namespace ringpost::proto::pg {
namespace {

TEST(ConninfoKeywords, AreReadAsLibpqReadsThem) {
  constexpr SettingsCase cases[] = {
      {"", ""},
      {" \t\n\v\f\r", ""},
      {"host=h port=1 user=u password=p dbname=d", "user=u password=p dbname=d host=h port=1"},
      {" host = h\tport\n=\r1\vuser\f=u", "user=u host=h port=1"},
      {"host='h' password='it\\'s a \\\\ secret'", "password=it's a \\ secret host=h"},
      {"password=with\\ blank host=h", "password=with blank host=h"},
      {"password=a\\", "password=a"},
      {"password=''", "password="},
      {"password= user=u", "password=user=u"},
      {"password=a'b'c", "password=a'b'c"},
      {"host='h'user=u", "user=u host=h"},
      {"password='a\tb\nc'", "password=a\tb\nc"},
      {"user=u user=v", "user=v"},
      {"host=", "host="},
      {"options='-c a=b'", "options=-c a=b"},
      {"requiressl=1", "sslmode=require"},
      {"requiressl=no", "sslmode=prefer"},
      {"passfile=/p sslcert=c sslkey=k sslpassword=s load_balance_hosts=random",
       "passfile=/p sslcert=c sslkey=k sslpassword=s load_balance_hosts=random"},
  };
  for (const auto& one : cases)
    EXPECT_EQ(summary(parse_connection_string(one.text)), one.expected) << one.text;
}

TEST(ConninfoKeywords, SayWhatIsWrongAndShowNoValue) {
  constexpr std::string_view hidden =
      "error: it names a setting that libpq does not know (which is not shown: it may be a part of "
      "a password; a value with blanks is written in single quotes)";
  constexpr SettingsCase cases[] = {
      {"host",
       "error: 'host' has no value; write name=value, and a value with blanks in single quotes"},
      {"shop",
       "error: 'shop' has no value; write name=value, and a value with blanks in single quotes"},
      {"password=two words",
       "error: a word has no value; write name=value, and a value with blanks in single quotes"},
      {"password=two words=3", hidden},
      {"password=a sslpasswordx=b", hidden},
      {"sslpassword=two words=3", hidden},
      {"a:secret=3", hidden},
      {"=x", hidden},
      {"host=h password='open", "error: the value of 'password' has no closing quote"},
      {"host=h password='open\\'", "error: the value of 'password' has no closing quote"},
      {"host=h password='open\\", "error: the value of 'password' has no closing quote"},
      {"secret='open", "error: the value of a setting has no closing quote"},
      {"nonsense=1", "error: 'nonsense' is no setting that libpq knows"},
      {"Host=h", "error: 'Host' is no setting that libpq knows"},
      {"host=x://y ssl=true", "error: 'ssl' is no setting that libpq knows"},
  };
  for (const auto& one : cases)
    EXPECT_EQ(summary(parse_connection_string(one.text)), one.expected) << one.text;
}

}  // namespace
}  // namespace ringpost::proto::pg
