#include "proto/pg/conninfo.h"

#include <map>

#include <gtest/gtest.h>

namespace ringpost::proto::pg {
namespace {

using SslMode = Conninfo::SslMode;
using TargetSession = Conninfo::TargetSession;
using Environment = std::map<std::string, std::string>;

std::expected<Conninfo, std::string> parse(std::string_view text,
                                           const Environment& environment = {}) {
  return parse_conninfo(
      text, {.lookup = [&](const std::string& name) -> std::optional<std::string> {
               const auto found = environment.find(name);
               return found == environment.end() ? std::nullopt : std::optional(found->second);
             },
             .os_user = "osuser",
             .application_name = "program"});
}

// "host=... address=... port; ... user password dbname application_name options sslmode", to
// compare at a glance.
std::string summary(const std::expected<Conninfo, std::string>& parsed) {
  if (!parsed) return "error: " + parsed.error();
  std::string text;
  for (const Host& host : parsed->hosts) {
    if (!text.empty()) text += ' ';
    text += host.name + (host.address.empty() ? "" : "[" + host.address + "]") + ":" +
            std::to_string(host.port);
  }
  return text + " " + parsed->user + "/" + parsed->password + "@" + parsed->dbname;
}

struct Case {
  std::string_view text, expected;
};

TEST(Conninfo, ReadsUris) {
  constexpr Case cases[] = {
      {"postgresql://", "/var/run/postgresql:5432 osuser/@osuser"},
      {"postgres://", "/var/run/postgresql:5432 osuser/@osuser"},
      {"postgresql://localhost", "localhost:5432 osuser/@osuser"},
      {"postgresql://localhost:5433", "localhost:5433 osuser/@osuser"},
      {"postgresql://localhost:", "localhost:5432 osuser/@osuser"},
      {"postgresql://localhost/mydb", "localhost:5432 osuser/@mydb"},
      {"postgresql://user@localhost", "localhost:5432 user/@user"},
      {"postgresql://user:secret@localhost", "localhost:5432 user/secret@user"},
      {"postgresql://other@localhost/otherdb?connect_timeout=10&application_name=myapp",
       "localhost:5432 other/@otherdb"},
      {"postgresql://host1:123,host2:456/somedb", "host1:123 host2:456 osuser/@somedb"},
      {"postgresql://host1,host2:456/somedb", "host1:5432 host2:456 osuser/@somedb"},
      {"postgresql://[2001:db8::1234]/database", "2001:db8::1234:5432 osuser/@database"},
      {"postgresql://[::1]:5433/database", "::1:5433 osuser/@database"},
      {"postgresql:///dbname?host=/var/lib/postgresql", "/var/lib/postgresql:5432 osuser/@dbname"},
      {"postgresql://%2Fvar%2Frun/dbname", "/var/run:5432 osuser/@dbname"},
      {"postgresql://%2Ftmp:5433/dbname", "/tmp:5433 osuser/@dbname"},
      {"postgresql:///mydb?host=localhost&port=5433", "localhost:5433 osuser/@mydb"},
      {"postgresql://u%40x:p%3Aq%2F%25@h/d%20b", "h:5432 u@x/p:q/%@d b"},
      {"postgresql://user:@h/d", "h:5432 user/@d"},
      {"postgresql://h/?dbname=other", "h:5432 osuser/@other"},
      {"postgresql://h?user=u&password=p", "h:5432 u/p@u"},
      {"postgresql://h/d?", "h:5432 osuser/@d"},
      {"postgresql://h/d?hostaddr=10.0.0.1", "h[10.0.0.1]:5432 osuser/@d"},
  };
  for (const Case& one : cases) EXPECT_EQ(summary(parse(one.text)), one.expected) << one.text;
}

TEST(Conninfo, ReadsKeywords) {
  constexpr Case cases[] = {
      {"", "/var/run/postgresql:5432 osuser/@osuser"},
      {"   ", "/var/run/postgresql:5432 osuser/@osuser"},
      {"host=h port=1 user=u password=p dbname=d", "h:1 u/p@d"},
      {" host = h\tport\n=\r1 ", "h:1 osuser/@osuser"},
      {"host='h' password='it\\'s a \\\\ secret'", "h:5432 osuser/it's a \\ secret@osuser"},
      {"host=h password=with\\ blank", "h:5432 osuser/with blank@osuser"},
      {"host=h password=''", "h:5432 osuser/@osuser"},
      {"host=h password= user=u", "h:5432 osuser/user=u@osuser"},
      {"host=h user=u user=v", "h:5432 v/@v"},
      {"host=a,b,c port=1,2,3", "a:1 b:2 c:3 osuser/@osuser"},
      {"host=a,b port=7", "a:7 b:7 osuser/@osuser"},
      {"host=a,,c port=1,,3", "a:1 /var/run/postgresql:5432 c:3 osuser/@osuser"},
      {"host=a,b hostaddr=10.0.0.1,10.0.0.2", "a[10.0.0.1]:5432 b[10.0.0.2]:5432 osuser/@osuser"},
      {"hostaddr=10.0.0.1", "[10.0.0.1]:5432 osuser/@osuser"},
      {"host=/tmp", "/tmp:5432 osuser/@osuser"},
      {"dbname='my db'", "/var/run/postgresql:5432 osuser/@my db"},
      {"client_encoding=LATIN1 host=h", "h:5432 osuser/@osuser"},
  };
  for (const Case& one : cases) EXPECT_EQ(summary(parse(one.text)), one.expected) << one.text;
}

TEST(Conninfo, PrefersTheStringToTheEnvironmentAndThatToItsDefaults) {
  const Environment environment{
      {"PGHOST", "envhost"},         {"PGPORT", "6000"},         {"PGUSER", "envuser"},
      {"PGPASSWORD", "envpassword"}, {"PGDATABASE", "envdb"},    {"PGAPPNAME", "envapp"},
      {"PGSSLMODE", "disable"},      {"PGCONNECT_TIMEOUT", "9"}, {"PGOPTIONS", "-c a=b"}};
  const auto parsed = parse("", environment);
  EXPECT_EQ(summary(parsed), "envhost:6000 envuser/envpassword@envdb");
  EXPECT_EQ(parsed->application_name, "envapp");
  EXPECT_EQ(parsed->options, "-c a=b");
  EXPECT_EQ(parsed->sslmode, SslMode::disable);
  EXPECT_EQ(parsed->connect_timeout, std::chrono::seconds(9));

  const auto mixed = parse(
      "postgresql://u@h/d?application_name=mine&options=-c%20x%3Dy&sslmode=allow", environment);
  EXPECT_EQ(summary(mixed), "h:6000 u/envpassword@d");
  EXPECT_EQ(mixed->application_name, "mine");
  EXPECT_EQ(mixed->options, "-c x=y");
  EXPECT_EQ(mixed->sslmode, SslMode::allow);

  EXPECT_EQ(parse("", {{"PGHOST", ""}})->hosts[0].name, "/var/run/postgresql")
      << "an empty variable is none";
  EXPECT_EQ(parse("")->application_name, "program");
  EXPECT_EQ(parse("")->connect_timeout, std::nullopt);
  EXPECT_EQ(parse("")->sslmode, SslMode::prefer);
}

TEST(Conninfo, ReadsSettings) {
  EXPECT_EQ(parse("connect_timeout=10")->connect_timeout, std::chrono::seconds(10));
  EXPECT_EQ(parse("connect_timeout=0")->connect_timeout, std::nullopt) << "0 means without limit";
  EXPECT_EQ(parse("connect_timeout=-1")->connect_timeout, std::nullopt);
  EXPECT_EQ(parse("sslmode=require")->sslmode, SslMode::require);
  EXPECT_EQ(parse("sslmode=verify-ca")->sslmode, SslMode::verify_ca);
  EXPECT_EQ(parse("sslmode=verify-full")->sslmode, SslMode::verify_full);
  EXPECT_TRUE(parse("sslmode=require")->requires_tls());
  EXPECT_FALSE(parse("sslmode=prefer")->requires_tls());
  EXPECT_EQ(parse("")->target_session_attrs, TargetSession::any);
  EXPECT_EQ(parse("target_session_attrs=read-write")->target_session_attrs,
            TargetSession::read_write);
  EXPECT_EQ(parse("target_session_attrs=prefer-standby")->target_session_attrs,
            TargetSession::prefer_standby);
  EXPECT_EQ(summary(parse("user='' dbname='' port='' sslmode='' connect_timeout=''")),
            "/var/run/postgresql:5432 osuser/@osuser")
      << "an empty value is none";
}

TEST(Conninfo, SaysWhatIsWrong) {
  constexpr Case cases[] = {
      {"http://localhost/db", "it begins with 'http://', and not with postgresql://"},
      {"postgresql://h/d?sslmode", "'sslmode' has no value; write name=value"},
      {"postgresql://h/d%", "'%' is no percent-encoded character (a % itself is written %25)"},
      {"postgresql://h/d%2", "'%2' is no percent-encoded character (a % itself is written %25)"},
      {"postgresql://u%zz@h/d",
       "'%zz' is no percent-encoded character (a % itself is written %25)"},
      {"postgresql://u:p%-1@h/d",
       "'%-1' is no percent-encoded character (a % itself is written %25)"},
      {"postgresql://h/d%00x", "'%00' is no percent-encoded character (a % itself is written %25)"},
      {"postgresql://[::1/d", "the address '[::1' has no closing ]"},
      {"postgresql://[::1]5432/d", "a port behind ] begins with a colon, in '[::1]5432'"},
      {"postgresql://h:x/d", "the port 'x' is no number from 1 to 65535"},
      {"postgresql://h:0/d", "the port '0' is no number from 1 to 65535"},
      {"postgresql://h:65536/d", "the port '65536' is no number from 1 to 65535"},
      {"port=-1", "the port '-1' is no number from 1 to 65535"},
      {"port=54 32", "'32' has no value; write name=value"},
      {"host", "'host' has no value; write name=value"},
      {"host=h password='open", "the value of 'password' has no closing quote"},
      {"host=h password='open\\'", "the value of 'password' has no closing quote"},
      {"host=a,b,c port=1,2", "port names 2 ports for 3 hosts"},
      {"host=a,b hostaddr=10.0.0.1", "host names 2 hosts, hostaddr 1"},
      {"connect_timeout=soon", "connect_timeout 'soon' is no number of seconds"},
      {"postgresql://[a\nb/d", "the address '[a?b' has no closing ]"},
      {"target_session_attrs=master",
       "target_session_attrs 'master' is none of any, read-write, read-only, primary, standby, "
       "prefer-standby"},
      {"channel_binding=require",
       "channel_binding=require can't be kept: it is not supported; leave it out"},
      {"gssencmode=require", "gssencmode=require can't be kept: it is not supported; leave it out"},
      {"sslrootcert=ca.pem host=h",
       "the connection option 'sslrootcert' is not supported; supported are host, hostaddr, port, "
       "dbname, user, "
       "password, options, application_name, connect_timeout, sslmode, target_session_attrs"},
      {"sslmode=maybe",
       "sslmode 'maybe' is none of disable, allow, prefer, require, verify-ca, verify-full"},
  };
  for (const Case& one : cases)
    EXPECT_EQ(summary(parse(one.text)), "error: " + std::string(one.expected)) << one.text;
}

TEST(Host, TellsUnixSocketsFromTheRest) {
  const Host folder{"/run/postgresql", "", 5432}, abstract{"@pg", "", 5432},
      name{"db.example", "", 5433}, address{"", "10.0.0.1", 5432},
      looked_up{"/odd", "10.0.0.1", 5432};
  EXPECT_TRUE(folder.is_unix_socket());
  EXPECT_EQ(folder.socket_path(), "/run/postgresql/.s.PGSQL.5432");
  EXPECT_EQ(folder.text(), "/run/postgresql/.s.PGSQL.5432");
  EXPECT_TRUE(abstract.is_unix_socket());
  EXPECT_FALSE(name.is_unix_socket());
  EXPECT_EQ(name.text(), "db.example:5433");
  EXPECT_FALSE(address.is_unix_socket());
  EXPECT_EQ(address.text(), "10.0.0.1:5432");
  EXPECT_FALSE(looked_up.is_unix_socket()) << "hostaddr is where to connect";
}

}  // namespace
}  // namespace ringpost::proto::pg
