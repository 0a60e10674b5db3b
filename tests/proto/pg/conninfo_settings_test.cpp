#include "proto/pg/conninfo_settings.h"

#include <algorithm>
#include <iterator>

#include <gtest/gtest.h>

#include "tests/proto/pg/conninfo_context.h"

namespace ringpost::proto::pg {
namespace {

// Value and origin of one setting, or the error of all.
std::string given(std::string_view name, std::string_view text, const ConninfoContext& context) {
  const auto settings = read_settings(text, context);
  if (!settings) return "error: " + settings.error();
  const Setting* setting = settings->find(name);
  return setting == nullptr ? "none" : setting->value + " (" + setting->origin() + ")";
}

TEST(ConninfoSettings, TheStringWinsOverItsServiceThatOverTheEnvironmentThatOverTheDefaults) {
  const Files files{{"/home/u/.pg_service.conf",
                     {"[orders]\nport=2\ndbname=service\napplication_name=service\n"}}};
  const ConninfoContext context = context_of(
      {{"PGPORT", "3"}, {"PGDATABASE", "env"}, {"PGHOST", "env"}, {"PGSSLMODE", "disable"}}, files);
  const std::string text = "service=orders application_name=mine";
  EXPECT_EQ(given("application_name", text, context), "mine (string)");
  EXPECT_EQ(given("port", text, context), "2 (service orders)");
  EXPECT_EQ(given("dbname", text, context), "service (service orders)");
  EXPECT_EQ(given("host", text, context), "env (environment PGHOST)");
  EXPECT_EQ(given("sslmode", text, context), "disable (environment PGSSLMODE)");
  EXPECT_EQ(given("user", text, context), "osuser (default)");
  EXPECT_EQ(given("target_session_attrs", text, context), "any (default)");
  EXPECT_EQ(given("password", text, context), "none");
  EXPECT_EQ(given("port", "", context), "3 (environment PGPORT)");
  EXPECT_EQ(given("port", "", context_of()), "5432 (default)");
  EXPECT_EQ(given("port", "port=''", context), " (string)") << "the environment's is hidden";
  EXPECT_EQ(given("application_name", "postgresql:///?service=orders", context),
            "service (service orders)");
}

TEST(ConninfoSettings, EachVariableOfLibpqSetsItsSetting) {
  constexpr std::pair<const char*, std::string_view> variables[] = {
      {"PGHOST", "host"},
      {"PGHOSTADDR", "hostaddr"},
      {"PGPORT", "port"},
      {"PGDATABASE", "dbname"},
      {"PGUSER", "user"},
      {"PGPASSWORD", "password"},
      {"PGPASSFILE", "passfile"},
      {"PGREQUIREAUTH", "require_auth"},
      {"PGCHANNELBINDING", "channel_binding"},
      {"PGOPTIONS", "options"},
      {"PGAPPNAME", "application_name"},
      {"PGSSLMODE", "sslmode"},
      {"PGSSLNEGOTIATION", "sslnegotiation"},
      {"PGSSLCOMPRESSION", "sslcompression"},
      {"PGSSLCERT", "sslcert"},
      {"PGSSLKEY", "sslkey"},
      {"PGSSLCERTMODE", "sslcertmode"},
      {"PGSSLROOTCERT", "sslrootcert"},
      {"PGSSLCRL", "sslcrl"},
      {"PGSSLCRLDIR", "sslcrldir"},
      {"PGSSLSNI", "sslsni"},
      {"PGREQUIREPEER", "requirepeer"},
      {"PGSSLMINPROTOCOLVERSION", "ssl_min_protocol_version"},
      {"PGSSLMAXPROTOCOLVERSION", "ssl_max_protocol_version"},
      {"PGMINPROTOCOLVERSION", "min_protocol_version"},
      {"PGMAXPROTOCOLVERSION", "max_protocol_version"},
      {"PGGSSENCMODE", "gssencmode"},
      {"PGKRBSRVNAME", "krbsrvname"},
      {"PGGSSLIB", "gsslib"},
      {"PGGSSDELEGATION", "gssdelegation"},
      {"PGCONNECT_TIMEOUT", "connect_timeout"},
      {"PGCLIENTENCODING", "client_encoding"},
      {"PGTARGETSESSIONATTRS", "target_session_attrs"},
      {"PGLOADBALANCEHOSTS", "load_balance_hosts"},
  };
  for (const auto& [variable, name] : variables)
    EXPECT_EQ(given(name, "", context_of({{variable, "x"}})),
              std::string("x (environment ") + variable + ")");
}

TEST(ConninfoSettings, OldAndDerivedDefaultsOfSslmode) {
  EXPECT_EQ(given("sslmode", "", context_of({{"PGREQUIRESSL", "1"}})),
            "require (environment PGREQUIRESSL)");
  EXPECT_EQ(given("sslmode", "", context_of({{"PGREQUIRESSL", "0"}})), "prefer (default)");
  EXPECT_EQ(given("sslmode", "", context_of({{"PGREQUIRESSL", "1"}, {"PGSSLMODE", "allow"}})),
            "allow (environment PGSSLMODE)");
  EXPECT_EQ(given("sslmode", "sslrootcert=system", context_of()), "verify-full (default)");
  EXPECT_EQ(given("sslmode", "sslrootcert=system sslmode=require", context_of()),
            "require (string)");
}

TEST(ConninfoSettings, FindsTheServiceInTheUsersFileThenInTheSystems) {
  const MemoryFile users{"[a]\nhost=users\n"}, system{"[a]\nhost=system\n[b]\nhost=system\n"},
      named{"[a]\nhost=named\n"};
  const Files files{{"/home/u/.pg_service.conf", users},
                    {"/etc/postgresql-common/pg_service.conf", system},
                    {"/conf/pg_service.conf", {"[c]\nhost=conf\n"}},
                    {"/named", named}};
  const auto host = [&files](std::string_view text, Environment environment = {}) {
    return given("host", text, context_of(std::move(environment), files));
  };
  EXPECT_EQ(host("service=a"), "users (service a)");
  EXPECT_EQ(host("service=b"), "system (service b)");
  EXPECT_EQ(host("service=c"),
            "error: service names one that is neither in '/home/u/.pg_service.conf' nor in "
            "'/etc/postgresql-common/pg_service.conf'");
  EXPECT_EQ(host("service=c", {{"PGSYSCONFDIR", "/conf"}}), "conf (service c)");
  EXPECT_EQ(host("service=b", {{"PGSYSCONFDIR", "/conf"}}),
            "error: service names one that is neither in '/home/u/.pg_service.conf' nor in "
            "'/conf/pg_service.conf'");
  EXPECT_EQ(host("", {{"PGSERVICE", "c"}, {"PGSERVICEFILE", "/named"}}),
            "error: service (environment PGSERVICE) names one that is neither in '/named' nor in "
            "'/etc/postgresql-common/pg_service.conf'");
  EXPECT_EQ(host("service=a", {{"PGSERVICEFILE", "/named"}}), "named (service a)");
  EXPECT_EQ(host("service=b", {{"PGSERVICEFILE", "/named"}}), "system (service b)");
  EXPECT_EQ(host("service=a", {{"PGSERVICEFILE", "/none"}}),
            "error: service file '/none' can't be read");
  EXPECT_EQ(host("", {{"PGSERVICE", "a"}}), "users (service a)");
  EXPECT_EQ(host("service=b", {{"PGSERVICE", "a"}}), "system (service b)");
  EXPECT_EQ(host("service=''", {{"PGSERVICE", "a"}}), "none");
  EXPECT_EQ(given("service", "", context_of({{"PGSERVICE", "a"}}, files)),
            "a (environment PGSERVICE)");
}

std::string refusal(std::string_view text, const ConninfoContext& context = context_of()) {
  const auto settings = read_settings(text, context);
  if (!settings) return "error: " + settings.error();
  const auto kept = check_kept(*settings);
  return kept ? "kept" : kept.error();
}

TEST(ConninfoSettings, WhatCantBeKeptIsRefusedByName) {
  constexpr SettingsCase cases[] = {
      {"", "kept"},
      {"host=h hostaddr=1.1.1.1 port=1 user=u password=p dbname=d options='-c a=b'"
       " keepalives=1 keepalives_idle=10 keepalives_interval=5 keepalives_count=3"
       " tcp_user_timeout=1500 load_balance_hosts=random require_auth=scram-sha-256"
       " application_name=a fallback_application_name=b connect_timeout=3 passfile=/p",
       "kept"},
      // These ask for what is so anyhow.
      {"sslmode=disable channel_binding=disable gssencmode=disable sslcompression=0 sslsni=1"
       " sslcertmode=allow gssdelegation=0 krbsrvname=postgres client_encoding=UTF8"
       " replication=false target_session_attrs=any load_balance_hosts=disable tcp_user_timeout=0"
       " min_protocol_version=3.0 max_protocol_version=latest sslnegotiation=postgres sslcert=''",
       "kept"},
      {"sslmode=allow channel_binding=prefer gssencmode=prefer", "kept"},
      {"sslmode=disable sslrootcert=r sslcert=c sslkey=k sslpassword=p sslcrl=l sslcrldir=d"
       " sslcertmode=require ssl_max_protocol_version=TLSv1.3 sslkeylogfile=f sslsni=0",
       "kept"},
      {"sslmode=verify-full sslrootcert=r sslcert=c sslkey=k sslpassword=p sslcrl=l sslcrldir=d"
       " sslcertmode=require ssl_min_protocol_version=TLSv1.3 sslkeylogfile=f sslsni=0"
       " sslnegotiation=direct channel_binding=require requirepeer=postgres",
       "kept"},
      {"sslrootcert=system", "kept"},
      {"sslcompression=1",
       "sslcompression asks for compression by TLS, which is not supported; leave it out, or set "
       "it to 0"},
      {"target_session_attrs=read-write", "kept"},
      {"min_protocol_version=3.2", "kept"},
      {"client_encoding=LATIN1",
       "client_encoding asks for another encoding than UTF8, which is not supported; leave it out, "
       "or set it to UTF8|utf8|UTF-8|utf-8"},
  };
  for (const auto& one : cases) EXPECT_EQ(refusal(one.text), one.expected) << one.text;
  EXPECT_EQ(refusal("", context_of({{"PGGSSLIB", "gssapi"}})),
            "gsslib (environment PGGSSLIB) asks for GSSAPI, which is not supported; leave it out");
  for (const std::string name :
       {"sslcompression", "gssencmode", "krbsrvname", "gsslib", "gssdelegation", "replication",
        "scram_client_key", "scram_server_key", "oauth_issuer", "oauth_client_id",
        "oauth_client_secret", "oauth_scope"})
    EXPECT_EQ(refusal(name + "=77").substr(0, name.size() + 10), name + " asks for ") << name;
}

// A setting that is kept changes what the connection string means: none is read and then ignored.
// That what it means is read where sessions open is conninfo_read_test.py's to say.
TEST(ConninfoSettings, WhatIsKeptMeansSomething) {
  struct Example {
    std::string_view name, without, with;
  };
  constexpr Example examples[] = {
      {"service", "", "service=a"},
      {"user", "", "user=u"},
      {"password", "", "password=p"},
      {"passfile", "host=h", "host=h passfile=/p"},
      {"channel_binding", "", "channel_binding=require"},
      {"connect_timeout", "", "connect_timeout=7"},
      {"dbname", "", "dbname=d"},
      {"host", "", "host=h"},
      {"hostaddr", "host=h", "host=h hostaddr=1.1.1.1"},
      {"port", "", "port=7"},
      {"options", "", "options='-c geqo=off'"},
      {"application_name", "", "application_name=a"},
      {"fallback_application_name", "", "fallback_application_name=a"},
      {"keepalives", "", "keepalives=0"},
      {"keepalives_idle", "", "keepalives_idle=7"},
      {"keepalives_interval", "", "keepalives_interval=7"},
      {"keepalives_count", "", "keepalives_count=7"},
      {"tcp_user_timeout", "", "tcp_user_timeout=7"},
      {"sslmode", "", "sslmode=require"},
      {"sslnegotiation", "sslmode=require", "sslmode=require sslnegotiation=direct"},
      {"sslcert", "", "sslcert=c"},
      {"sslkey", "", "sslkey=k"},
      {"sslcertmode", "", "sslcertmode=require"},
      {"sslpassword", "", "sslpassword=p"},
      {"sslrootcert", "", "sslrootcert=r"},
      {"sslcrl", "", "sslcrl=l"},
      {"sslcrldir", "", "sslcrldir=d"},
      {"sslsni", "", "sslsni=0"},
      {"requirepeer", "", "requirepeer=u"},
      {"require_auth", "", "require_auth=scram-sha-256"},
      {"min_protocol_version", "max_protocol_version=latest",
       "max_protocol_version=latest min_protocol_version=3.2"},
      {"max_protocol_version", "", "max_protocol_version=latest"},
      {"ssl_min_protocol_version", "", "ssl_min_protocol_version=TLSv1.3"},
      {"ssl_max_protocol_version", "", "ssl_max_protocol_version=TLSv1.3"},
      {"target_session_attrs", "", "target_session_attrs=primary"},
      {"load_balance_hosts", "", "load_balance_hosts=random"},
      {"sslkeylogfile", "", "sslkeylogfile=f"},
  };
  const Files files{{"/home/u/.pg_service.conf", {"[a]\nhost=h\n"}}, {"/p", {"h:*:*:*:secret\n"}}};
  const ConninfoContext context = context_of({}, files);
  const auto meant = [&context](std::string_view text) {
    const auto settings = read_settings(text, context);
    return settings ? conninfo_of(*settings, context) : std::unexpected(settings.error());
  };
  for (const Keyword& one : keywords()) {
    const auto* found = std::find_if(std::begin(examples), std::end(examples),
                                     [&one](const Example& each) { return each.name == one.name; });
    if (!one.missing.empty()) continue;
    ASSERT_NE(found, std::end(examples)) << one.name << " is kept: what does it do?";
    const auto without = meant(found->without), with = meant(found->with);
    ASSERT_TRUE(without && with) << one.name;
    EXPECT_FALSE(*without == *with) << one.name << " is kept, and changes nothing";
  }
}

}  // namespace
}  // namespace ringpost::proto::pg
