#include "proto/pg/conninfo.h"

#include <gtest/gtest.h>

#include "tests/proto/pg/conninfo_context.h"

namespace ringpost::proto::pg {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using SslMode = Conninfo::SslMode;
using TargetSession = Conninfo::TargetSession;
using ChannelBinding = Conninfo::ChannelBinding;
using AuthMethod = Conninfo::AuthMethod;
using Version = Conninfo::ProtocolVersion;
using Ssl = Conninfo::Ssl;

// What settings mean, also of those that are not kept.
std::expected<Conninfo, std::string> meaning(std::string_view text,
                                             const ConninfoContext& context = context_of()) {
  const auto settings = read_settings(text, context);
  if (!settings) return std::unexpected(settings.error());
  return conninfo_of(*settings, context);
}

// "host[address]:port ... user/password@dbname", to compare at a glance.
std::string summary(const std::expected<Conninfo, std::string>& parsed) {
  if (!parsed) return "error: " + parsed.error();
  std::string text;
  for (const Host& host : parsed->hosts) {
    if (!text.empty()) text += ' ';
    text += host.name + (host.address.empty() ? "" : "[" + host.address + "]") + ":" +
            std::to_string(host.port);
  }
  return text + " " + parsed->user + "/" + parsed->password_for(parsed->hosts[0]) + "@" +
         parsed->dbname;
}

TEST(Conninfo, NamesHostsAndWhoAsksForWhat) {
  constexpr SettingsCase cases[] = {
      {"", "/var/run/postgresql:5432 osuser/@osuser"},
      {"postgresql://", "/var/run/postgresql:5432 osuser/@osuser"},
      {"postgresql://user@localhost", "localhost:5432 user/@user"},
      {"postgresql://u:p@h1:123,h2:456/d", "h1:123 h2:456 u/p@d"},
      {"postgresql://h1,h2:456/d", "h1:5432 h2:456 osuser/@d"},
      {"postgresql://h/d?hostaddr=10.0.0.1", "h[10.0.0.1]:5432 osuser/@d"},
      {"postgresql:///mydb?host=localhost&port=5433", "localhost:5433 osuser/@mydb"},
      {"host=a,b,c port=1,2,3", "a:1 b:2 c:3 osuser/@osuser"},
      {"host=a,b port=7", "a:7 b:7 osuser/@osuser"},
      {"host=a,b port=,7", "a:5432 b:7 osuser/@osuser"},
      {"host=a,,c port=1,,3", "a:1 /var/run/postgresql:5432 c:3 osuser/@osuser"},
      {"host=a,b hostaddr=10.0.0.1,10.0.0.2", "a[10.0.0.1]:5432 b[10.0.0.2]:5432 osuser/@osuser"},
      {"hostaddr=10.0.0.1", "[10.0.0.1]:5432 osuser/@osuser"},
      {"hostaddr=fe80::1%eth0", "[fe80::1%eth0]:5432 osuser/@osuser"},
      {"postgresql://h/a%40b", "h:5432 osuser/@a@b"},
      {"postgresql://u@h/a@b", "h:5432 u/@a@b"},
      {"host=h dbname=a@b", "h:5432 osuser/@a@b"},
      {"hostaddr=10.0.0.1,", "[10.0.0.1]:5432 /var/run/postgresql:5432 osuser/@osuser"},
      {"host=/tmp port=' +5433 '", "/tmp:5433 osuser/@osuser"},
      {"host=@abstract", "@abstract:5432 osuser/@osuser"},
      {"user='' dbname='' port='' host='' sslmode='' connect_timeout=''",
       "/var/run/postgresql:5432 osuser/@osuser"},
  };
  for (const auto& one : cases)
    EXPECT_EQ(summary(parse_conninfo(one.text, context_of())), one.expected) << one.text;
  EXPECT_EQ(summary(parse_conninfo("", context_of({{"PGHOST", ""}, {"PGPORT", ""}}))),
            "/var/run/postgresql:5432 osuser/@osuser")
      << "an empty variable is none";
}

TEST(Conninfo, ReadsWhatASessionBeginsWith) {
  const auto plain = parse_conninfo("", context_of());
  EXPECT_EQ(plain->application_name, "program");
  EXPECT_EQ(plain->options, "");
  EXPECT_EQ(plain->connect_timeout, std::nullopt);
  EXPECT_TRUE(plain->parameters.empty());
  const auto full = parse_conninfo(
      "application_name=mine fallback_application_name=x options='-c a=b' connect_timeout=10",
      context_of({{"PGDATESTYLE", "ISO, DMY"}, {"PGTZ", "UTC"}, {"PGGEQO", "Default"}}));
  EXPECT_EQ(full->application_name, "mine");
  EXPECT_EQ(full->options, "-c a=b");
  EXPECT_EQ(full->connect_timeout, seconds(10));
  using Parameters = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(full->parameters, (Parameters{{"datestyle", "ISO, DMY"}, {"timezone", "UTC"}}));
  EXPECT_EQ(meaning("fallback_application_name=x")->application_name, "x");
  EXPECT_EQ(meaning("connect_timeout=0")->connect_timeout, seconds(0)) << "no limit";
  EXPECT_EQ(meaning("connect_timeout=-1")->connect_timeout, seconds(0));
  EXPECT_EQ(meaning("connect_timeout=''")->connect_timeout, std::nullopt);
}

TEST(Conninfo, ReadsHowConnectionsAreWatched) {
  const auto plain = meaning("");
  EXPECT_TRUE(plain->keepalives.on);
  EXPECT_EQ(plain->keepalives.idle, std::nullopt);
  EXPECT_EQ(plain->tcp_user_timeout, std::nullopt);
  const auto full = meaning(
      "keepalives=1 keepalives_idle=30 keepalives_interval=5 keepalives_count=3 "
      "tcp_user_timeout=1500");
  EXPECT_TRUE(full->keepalives.on);
  EXPECT_EQ(full->keepalives.idle, seconds(30));
  EXPECT_EQ(full->keepalives.interval, seconds(5));
  EXPECT_EQ(full->keepalives.count, 3);
  EXPECT_EQ(full->tcp_user_timeout, milliseconds(1500));
  EXPECT_FALSE(meaning("keepalives=0")->keepalives.on);
  EXPECT_EQ(meaning("keepalives_idle=0 keepalives_count=-1")->keepalives.idle, std::nullopt);
}

TEST(Conninfo, ReadsWhichHostIsTaken) {
  constexpr std::pair<std::string_view, TargetSession> sessions[] = {
      {"any", TargetSession::any},
      {"read-write", TargetSession::read_write},
      {"read-only", TargetSession::read_only},
      {"primary", TargetSession::primary},
      {"standby", TargetSession::standby},
      {"prefer-standby", TargetSession::prefer_standby}};
  for (const auto& [name, session] : sessions)
    EXPECT_EQ(meaning("target_session_attrs=" + std::string(name))->target_session_attrs, session);
  EXPECT_EQ(meaning("")->target_session_attrs, TargetSession::any);
  EXPECT_EQ(meaning("")->load_balance_hosts, Conninfo::LoadBalance::disable);
  EXPECT_EQ(meaning("load_balance_hosts=random")->load_balance_hosts,
            Conninfo::LoadBalance::random);
}

TEST(Conninfo, ReadsTls) {
  constexpr std::pair<std::string_view, SslMode> modes[] = {
      {"disable", SslMode::disable},     {"allow", SslMode::allow},
      {"prefer", SslMode::prefer},       {"require", SslMode::require},
      {"verify-ca", SslMode::verify_ca}, {"verify-full", SslMode::verify_full}};
  for (const auto& [name, mode] : modes)
    EXPECT_EQ(meaning("sslmode=" + std::string(name))->sslmode, mode);
  const auto plain = meaning("");
  EXPECT_EQ(plain->sslmode, SslMode::prefer);
  EXPECT_EQ(plain->ssl.negotiation, Ssl::Negotiation::postgres);
  EXPECT_EQ(plain->ssl.certmode, Ssl::CertMode::allow);
  EXPECT_TRUE(plain->ssl.sni);
  EXPECT_EQ(plain->ssl.min_protocol_version, Ssl::Version::tls_1_2);
  EXPECT_EQ(plain->ssl.max_protocol_version, std::nullopt);
  EXPECT_EQ(plain->ssl.rootcert, "");
  EXPECT_EQ(plain->ssl.folder, "/home/u/.postgresql");
  const auto full = meaning(
      "sslmode=verify-ca sslnegotiation=direct sslcert=c sslkey=k sslpassword=p sslrootcert=r "
      "sslcrl=l sslcrldir=d sslcertmode=require sslsni=0 ssl_min_protocol_version=tlsv1.3 "
      "ssl_max_protocol_version=TLSv1.3 sslkeylogfile=f");
  EXPECT_EQ(full->sslmode, SslMode::verify_ca);
  EXPECT_EQ(full->ssl.negotiation, Ssl::Negotiation::direct);
  EXPECT_EQ(full->ssl.cert, "c");
  EXPECT_EQ(full->ssl.key, "k");
  EXPECT_EQ(full->ssl.password, "p");
  EXPECT_EQ(full->ssl.rootcert, "r");
  EXPECT_EQ(full->ssl.crl, "l");
  EXPECT_EQ(full->ssl.crldir, "d");
  EXPECT_EQ(full->ssl.certmode, Ssl::CertMode::require);
  EXPECT_FALSE(full->ssl.sni);
  EXPECT_EQ(full->ssl.min_protocol_version, Ssl::Version::tls_1_3);
  EXPECT_EQ(full->ssl.max_protocol_version, Ssl::Version::tls_1_3);
  EXPECT_EQ(full->ssl.keylogfile, "f");
  EXPECT_EQ(meaning("requirepeer=postgres")->requirepeer, "postgres");
  EXPECT_EQ(meaning("sslrootcert=system")->sslmode, SslMode::verify_full);
  EXPECT_EQ(meaning("ssl_min_protocol_version=''")->ssl.min_protocol_version, Ssl::Version::tls_1);
}

TEST(Conninfo, ReadsWhichAuthenticationIsAllowed) {
  const auto allowed = [](std::string_view list) {
    std::string methods;
    const auto parsed = meaning("require_auth=" + std::string(list));
    if (!parsed) return "error: " + parsed.error();
    for (const char one : {'n', 'p', 'm', 'g', 's', 'S', 'o'})
      methods += parsed->require_auth[methods.size()] ? one : '-';
    return methods;
  };
  const std::string known =
      "error: require_auth is no list of none, password, md5, gss, sspi, "
      "scram-sha-256, oauth";
  EXPECT_EQ(allowed("''"), "npmgsSo");
  EXPECT_EQ(allowed("scram-sha-256"), "-----S-");
  EXPECT_EQ(allowed("none,password,md5"), "npm----");
  EXPECT_EQ(allowed("gss,sspi,oauth"), "---gs-o");
  EXPECT_EQ(allowed("!none"), "-pmgsSo");
  EXPECT_EQ(allowed("!password,!md5"), "n--gsSo");
  EXPECT_EQ(allowed("md5,!password"), "error: require_auth has methods with a ! and without");
  EXPECT_EQ(allowed("!md5,password"), "error: require_auth has methods with a ! and without");
  EXPECT_EQ(allowed("md5,md5"), "error: require_auth names a method twice");
  EXPECT_EQ(allowed("scram"), known);
  EXPECT_EQ(allowed("md5,"), known);
  EXPECT_EQ(allowed("!!md5"), known);
  EXPECT_TRUE(meaning("require_auth=md5")->require_auth.test(static_cast<size_t>(AuthMethod::md5)));
  EXPECT_EQ(meaning("")->channel_binding, ChannelBinding::prefer);
  EXPECT_EQ(meaning("channel_binding=disable")->channel_binding, ChannelBinding::disable);
  EXPECT_EQ(meaning("channel_binding=require")->channel_binding, ChannelBinding::require);
}

TEST(Conninfo, ReadsVersionsOfTheProtocol) {
  const auto versions = [](std::string_view text) {
    const auto parsed = meaning(text);
    return std::pair(parsed->min_protocol_version, parsed->max_protocol_version);
  };
  EXPECT_EQ(versions(""), std::pair(Version::v3_0, Version::v3_0));
  EXPECT_EQ(versions("max_protocol_version=3.2"), std::pair(Version::v3_0, Version::v3_2));
  EXPECT_EQ(versions("max_protocol_version=latest"), std::pair(Version::v3_0, Version::v3_2));
  EXPECT_EQ(versions("min_protocol_version=3.2"), std::pair(Version::v3_2, Version::v3_2));
  EXPECT_EQ(static_cast<uint32_t>(Version::v3_2), 0x30002);
}

TEST(Conninfo, SaysWhatIsWrongAndShowsNoValue) {
  const std::string port = " is no number from 1 to 65535";
  const std::pair<std::string_view, std::string> cases[] = {
      {"postgresql://h:x/d", "port" + port},
      {"postgresql://h:0/d", "port" + port},
      {"postgresql://h:65536/d", "port" + port},
      {"port=-1", "port" + port},
      {"port=5432x", "port" + port},
      {"port='54 32'", "port" + port},
      {"port=99999999999999999999", "port" + port},
      {"postgresql://u:a@secret@h/d",
       "host has an @ in it; one in a URI's user or password is written %40"},
      {"postgresql://us/er:secret@h/d",
       "the URI has an @ in its database and no user before it (a / in a user or password is "
       "written %2F, an @ in a database %40)"},
      {"postgresql://user:1/secret@h",
       "the URI has an @ in its database and no user before it (a / in a user or password is "
       "written %2F, an @ in a database %40)"},
      {"hostaddr=db.example", "hostaddr is no IP address"},
      {"hostaddr=10.0.0.1,db", "hostaddr is no IP address"},
      {"host=a,b,c port=1,2", "port names 2 ports for 3 hosts"},
      {"host=a port=1,2", "port names 2 ports for 1 hosts"},
      {"host=a,b hostaddr=10.0.0.1", "hostaddr names 1 hosts, host 2"},
      {"connect_timeout=soon", "connect_timeout is no number of seconds"},
      {"connect_timeout=1.5", "connect_timeout is no number of seconds"},
      {"connect_timeout=+-1", "connect_timeout is no number of seconds"},
      {"tcp_user_timeout=1s", "tcp_user_timeout is no number of milliseconds"},
      {"keepalives=on", "keepalives is no number of keepalives (1 is on, 0 off)"},
      {"sslmode=maybe",
       "sslmode is none of disable, allow, prefer, require, verify-ca, verify-full"},
      {"sslmode=Require",
       "sslmode is none of disable, allow, prefer, require, verify-ca, verify-full"},
      {"target_session_attrs=master",
       "target_session_attrs is none of any, read-write, read-only, primary, standby, "
       "prefer-standby"},
      {"load_balance_hosts=yes", "load_balance_hosts is none of disable, random"},
      {"channel_binding=yes", "channel_binding is none of disable, prefer, require"},
      {"gssencmode=yes", "gssencmode is none of disable, prefer, require"},
      {"sslnegotiation=yes", "sslnegotiation is none of postgres, direct"},
      {"sslnegotiation=direct",
       "sslmode (default) must be require or more for sslnegotiation=direct"},
      {"sslcertmode=yes", "sslcertmode is none of disable, allow, require"},
      {"sslsni=yes", "sslsni is none of 0, 1"},
      {"sslrootcert=system sslmode=require", "sslmode must be verify-full for sslrootcert=system"},
      {"ssl_min_protocol_version=SSLv3",
       "ssl_min_protocol_version is none of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3"},
      {"ssl_max_protocol_version=TLSv1.1",
       "ssl_max_protocol_version is less than ssl_min_protocol_version"},
      {"min_protocol_version=2.0", "min_protocol_version is none of 3.0, 3.2, latest"},
      {"min_protocol_version=3.2 max_protocol_version=3.0",
       "max_protocol_version is less than min_protocol_version"},
  };
  for (const auto& [text, expected] : cases)
    EXPECT_EQ(summary(meaning(text)), "error: " + expected) << text;
  EXPECT_EQ(summary(meaning("", context_of({{"PGSSLMODE", "maybe"}}))),
            "error: sslmode (environment PGSSLMODE) is none of disable, allow, prefer, require, "
            "verify-ca, verify-full");
}

TEST(Conninfo, WhatIsNotKeptIsRefused) {
  EXPECT_EQ(summary(parse_conninfo("postgresql://h/d?gssencmode=require", context_of())),
            "error: gssencmode asks for GSSAPI, which is not supported; leave it out, or set it to "
            "disable|prefer");
}

constexpr std::string_view passwords =
    "h:5432:d:u:first\n"
    "h2:6000:d:u:second\n"
    "localhost:5432:d:u:local\n"
    "10.0.0.1:5432:d:u:address\n";

TEST(Conninfo, TakesThePasswordFromTheFile) {
  const auto password = [](std::string_view text, const std::string& path = "/home/u/.pgpass") {
    return summary(parse_conninfo(text, context_of({}, {{path, {std::string(passwords)}}})));
  };
  EXPECT_EQ(password("host=h user=u dbname=d"), "h:5432 u/first@d");
  EXPECT_EQ(password("host=h user=u dbname=d password=given"), "h:5432 u/given@d");
  EXPECT_EQ(password("host=h user=u dbname=d password=''"), "h:5432 u/first@d");
  EXPECT_EQ(password("host=h user=u dbname=other"), "h:5432 u/@other");
  EXPECT_EQ(password("user=u dbname=d"), "/var/run/postgresql:5432 u/local@d");
  EXPECT_EQ(password("host=/tmp user=u dbname=d"), "/tmp:5432 u/@d");
  EXPECT_EQ(password("host=localhost user=u dbname=d"), "localhost:5432 u/local@d");
  EXPECT_EQ(password("hostaddr=10.0.0.1 user=u dbname=d"), "[10.0.0.1]:5432 u/address@d");
  EXPECT_EQ(password("host=h hostaddr=10.0.0.1 user=u dbname=d"), "h[10.0.0.1]:5432 u/first@d");
  EXPECT_EQ(password("host=h user=u dbname=d", "/p"), "h:5432 u/@d");
  EXPECT_EQ(password("host=h user=u dbname=d passfile=/p", "/p"), "h:5432 u/first@d");
  EXPECT_EQ(summary(parse_conninfo(
                "host=h user=u dbname=d",
                context_of({{"PGPASSFILE", "/p"}}, {{"/p", {std::string(passwords)}}}))),
            "h:5432 u/first@d");
}

TEST(Conninfo, HostsHaveTheirOwnPasswordsInTheFile) {
  const ConninfoContext context = context_of({}, {{"/home/u/.pgpass", {std::string(passwords)}}});
  const auto both = meaning("host=h,h2 port=5432,6000 user=u dbname=d", context);
  EXPECT_EQ(both->password, "");
  EXPECT_EQ(both->hosts[0].password, "first");
  EXPECT_EQ(both->hosts[1].password, "second");
  EXPECT_EQ(both->password_for(both->hosts[1]), "second");
  const auto one = meaning("host=h3,h user=u dbname=d", context);
  EXPECT_EQ(one->password_for(one->hosts[0]), "") << "one host's password is not for another";
  EXPECT_EQ(one->password_for(one->hosts[1]), "first");
  const auto given = meaning("host=h,h2 port=5432,6000 user=u dbname=d password=p", context);
  EXPECT_EQ(given->password_for(given->hosts[1]), "p");
}

TEST(Conninfo, APasswordFileThatOthersMayReadIsNotUsed) {
  const auto read = [](MemoryFile file) {
    return *parse_conninfo("host=h user=u dbname=d",
                           context_of({}, {{"/home/u/.pgpass", std::move(file)}}));
  };
  const std::string text(passwords);
  for (const int mode : {0600, 0400, 0700}) {
    EXPECT_EQ(read({text, mode}).hosts[0].password, "first") << mode;
    EXPECT_EQ(read({text, mode}).warning, "") << mode;
  }
  for (const int mode : {0640, 0604, 0620, 0601, 0610}) {
    EXPECT_EQ(read({text, mode}).hosts[0].password, "") << mode;
    EXPECT_EQ(read({text, mode}).warning,
              "the password file '/home/u/.pgpass' is not used: others may read or write it (chmod "
              "0600 it)");
  }
  EXPECT_EQ(read({text, 0600, std::filesystem::file_type::fifo}).warning,
            "the password file '/home/u/.pgpass' is not used: it is no plain file");
  EXPECT_EQ(
      parse_conninfo("password=p", context_of({}, {{"/home/u/.pgpass", {text, 0644}}}))->warning,
      "")
      << "it is not asked for one";
  EXPECT_EQ(parse_conninfo("", context_of())->warning, "");
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
