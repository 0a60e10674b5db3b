#include <gtest/gtest.h>

#include "tests/proto/pg/conninfo_context.h"

namespace ringpost::proto::pg {
namespace {

std::string explained(std::string_view text, const ConninfoContext& context = context_of()) {
  return explain_conninfo(text, context).value_or("refused");
}

TEST(ConninfoExplain, ShowsTheDefaults) {
  EXPECT_EQ(explained(""),
            "user='osuser' (default)\n"
            "channel_binding='prefer' (default)\n"
            "dbname='osuser' (default)\n"
            "host='/var/run/postgresql' (default)\n"
            "port='5432' (default)\n"
            "application_name='program' (default)\n"
            "sslmode='prefer' (default)\n"
            "sslnegotiation='postgres' (default)\n"
            "sslsni='1' (default)\n"
            "ssl_min_protocol_version='TLSv1.2' (default)\n"
            "target_session_attrs='any' (default)\n"
            "load_balance_hosts='disable' (default)\n");
}

TEST(ConninfoExplain, ShowsWhatIsUsedAndWhereItIsFrom) {
  const Files files{{"/home/u/.pg_service.conf", {"[orders]\nport=6000\noptions=-c a=b\n"}},
                    {"/home/u/.pgpass", {"h:6000:*:*:secret\n"}}};
  const ConninfoContext context =
      context_of({{"PGSERVICE", "orders"}, {"PGTZ", "UTC"}, {"PGSSLMODE", "disable"}}, files);
  EXPECT_EQ(explained("host=h dbname='it\\'s \\\\'", context),
            "service='orders' (environment PGSERVICE)\n"
            "user='osuser' (default)\n"
            "password='********' (password file)\n"
            "channel_binding='prefer' (default)\n"
            "dbname='it\\'s \\\\' (string)\n"
            "host='h' (string)\n"
            "port='6000' (service orders)\n"
            "options='-c a=b' (service orders)\n"
            "application_name='program' (default)\n"
            "sslmode='disable' (environment PGSSLMODE)\n"
            "sslnegotiation='postgres' (default)\n"
            "sslsni='1' (default)\n"
            "ssl_min_protocol_version='TLSv1.2' (default)\n"
            "target_session_attrs='any' (default)\n"
            "load_balance_hosts='disable' (default)\n"
            "timezone='UTC' (environment)\n");
}

TEST(ConninfoExplain, HidesSecretsAndStaysInItsLines) {
  const std::string text = explained(
      "postgresql://u:secret@h/a%0Ab?sslmode=disable&sslpassword=secret&sslkey=k", context_of());
  EXPECT_TRUE(text.contains("password='********' (string)\n")) << text;
  EXPECT_TRUE(text.contains("sslpassword='********' (string)\n")) << text;
  EXPECT_TRUE(text.contains("sslkey='k' (string)\n")) << text;
  EXPECT_TRUE(text.contains("dbname='a?b' (string)\n")) << text;
  EXPECT_FALSE(text.contains("secret")) << text;
  EXPECT_TRUE(explained("", context_of({{"PGPASSWORD", "secret"}}))
                  .contains("\npassword='********' (environment PGPASSWORD)\n"));
}

TEST(ConninfoExplain, WhatIsRefusedIsRefusedHereToo) {
  EXPECT_EQ(explained("gssencmode=require"), "refused");
  EXPECT_EQ(explained("port=x"), "refused");
}

}  // namespace
}  // namespace ringpost::proto::pg
