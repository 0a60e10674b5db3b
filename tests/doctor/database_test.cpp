#include "src/doctor/database.h"

#include <gtest/gtest.h>

#include "src/pg/client.h"

namespace ringpost::doctor {
namespace {

using namespace std::chrono_literals;
using Verdict = Finding::Verdict;

std::string text(const Finding& finding) {
  std::string line = finding.verdict == Verdict::fit    ? "yes: "
                     : finding.verdict == Verdict::note ? "but: "
                                                        : "NO: ";
  line += finding.what;
  if (!finding.advice.empty()) line += " -> " + finding.advice;
  return line;
}

DatabaseFacts good() {
  DatabaseFacts facts;
  facts.connected = true;
  facts.address = "192.0.2.1:5432";
  facts.server_version = "16.4";
  facts.encrypted = true;
  facts.user = "app";
  facts.dbname = "shop";
  facts.encoding = "UTF8";
  facts.authentication = "scram-sha-256";
  facts.session_process = facts.server_process = 4711;
  facts.version = 160'004;
  facts.max_connections = 100;
  facts.reserved = 3;
  facts.round_trip = 250us;
  facts.statements = 3;
  return facts;
}

TEST(Database, AGoodOne) {
  EXPECT_EQ(
      to_text(judge(good(), 10)),
      "yes  a session with PostgreSQL 16.4 at 192.0.2.1:5432 as app, database shop, logged in "
      "by scram-sha-256\n"
      "yes  PostgreSQL 16 is one that is tested with\n"
      "yes  the session is encrypted by TLS\n"
      "yes  the database's encoding is UTF8\n"
      "yes  a round trip takes 0.25 ms\n"
      "yes  nothing stands between: prepared statements are kept\n"
      "yes  DB_MAX_CONNS is 10, and PostgreSQL has room for it (max_connections 100, of which "
      "3 are reserved)\n"
      "yes  all 3 statements can be prepared, and are of the types that are declared\n");
}

TEST(Database, NoSession) {
  const struct {
    const char *failure, *advice;
  } cases[] = {
      {"127.0.0.1:5432: connect: Connection refused", "start PostgreSQL"},
      {"SCRAM's key: work for another thread: Resource temporarily unavailable",
       "raise the limit of proc"},
      {"db:5432: thread for getaddrinfo: Resource temporarily unavailable",
       "raise the limit of proc"},
      {"FATAL 28P01: password authentication failed for user \"app\"", "see user and password"},
      {"FATAL 3D000: database \"shop\" does not exist", "make the database"},
      {"FATAL 53300: sorry, too many clients already", "raise max_connections"},
      {"db: Name or service not known", "see the host's name"},
      {"db: TLS: certificate has expired", "see sslmode"},
      {"192.0.2.1:5432: connect: timed out", "see host, port, firewalls"},
      {"something else", "ringpost --print-conninfo"},
  };
  for (const auto& each : cases) {
    DatabaseFacts facts;
    facts.failure = each.failure;
    const Findings findings = judge(facts, 10);
    ASSERT_EQ(findings.size(), 1u);
    EXPECT_EQ(findings[0].what, std::string("no session with PostgreSQL: ") + each.failure);
    EXPECT_TRUE(findings[0].advice.starts_with(each.advice)) << findings[0].advice;
    EXPECT_FALSE(all_fit(findings));
  }
}

TEST(Database, ASessionThatEnds) {
  DatabaseFacts facts = good();
  facts.failure = "receive: closed by the peer";
  EXPECT_FALSE(all_fit(judge(facts, 10)));
}

TEST(Database, Version) {
  EXPECT_EQ(check_version(150'008).verdict, Verdict::fit);
  EXPECT_EQ(text(check_version(130'011)),
            "but: PostgreSQL 13 is no longer maintained, and not tested with -> upgrade to 15 or "
            "newer");
}

TEST(Database, Encryption) {
  DatabaseFacts facts = good();
  facts.encrypted = false;
  EXPECT_EQ(check_encryption(facts).verdict, Verdict::note);
  facts.here = true;
  EXPECT_EQ(check_encryption(facts).verdict, Verdict::fit);
}

TEST(Database, Encoding) {
  EXPECT_EQ(check_encoding("LATIN1").verdict, Verdict::fit) << "PostgreSQL converts it";
  EXPECT_EQ(check_encoding("SQL_ASCII").verdict, Verdict::note);
}

TEST(Database, RoundTrip) {
  EXPECT_EQ(check_round_trip(9ms, false).verdict, Verdict::fit);
  EXPECT_EQ(text(check_round_trip(10'010us, false)),
            "but: a round trip takes 10.01 ms: each request takes as long at least -> run nearer "
            "to the database");
  EXPECT_EQ(check_round_trip(3ms, true).verdict, Verdict::note);
}

TEST(Database, APoolerBetween) {
  EXPECT_EQ(check_pooler(1, 1).verdict, Verdict::fit);
  const Finding found = check_pooler(1, 2);
  EXPECT_EQ(found.verdict, Verdict::note);
  EXPECT_TRUE(
      found.what.starts_with("a pooler stands between (the session's process is 1, the "
                             "server's 2)"));
}

TEST(Database, Budget) {
  DatabaseFacts facts = good();
  EXPECT_EQ(check_budget(facts, 48).verdict, Verdict::fit);
  EXPECT_EQ(check_budget(facts, 49).verdict, Verdict::note) << "not twice";
  EXPECT_EQ(check_budget(facts, 97).verdict, Verdict::note);
  EXPECT_EQ(text(check_budget(facts, 98)),
            "NO: DB_MAX_CONNS is 98, and PostgreSQL has max_connections 100, of which 3 are "
            "reserved -> lower DB_MAX_CONNS to 97 or less, or raise the limit");
  facts.others = 90;
  EXPECT_EQ(text(check_budget(facts, 10)),
            "but: DB_MAX_CONNS is 10, others have 90 sessions now, and PostgreSQL has "
            "max_connections 100, of which 3 are reserved -> lower DB_MAX_CONNS, or raise the "
            "limit, so that there is room for all");
  facts.others = 0;
  facts.role_limit = 5;
  EXPECT_EQ(text(check_budget(facts, 10)),
            "NO: DB_MAX_CONNS is 10, and PostgreSQL has a limit of 5 for the role app -> lower "
            "DB_MAX_CONNS to 5 or less, or raise the limit");
  facts.database_limit = 0;
  EXPECT_EQ(
      text(check_budget(facts, 10)),
      "NO: DB_MAX_CONNS is 10, and PostgreSQL has a limit of 0 for the database shop -> lower "
      "DB_MAX_CONNS to 1 or less, or raise the limit");
}

TEST(Database, Statements) {
  DatabaseFacts facts = good();
  facts.broken = {{"find_user", "ERROR 42P01: relation \"users\" does not exist"},
                  {"list_users", "ERROR 42501: permission denied for table users"},
                  {"ping", "column 1 is int8, not int4"}};
  const Findings findings = check_statements(facts);
  ASSERT_EQ(findings.size(), 3u);
  EXPECT_EQ(text(findings[0]),
            "NO: the statement find_user can't be used: ERROR 42P01: relation \"users\" does not "
            "exist -> make the tables: run the migrations on this database (make migrate)");
  EXPECT_TRUE(findings[1].advice.starts_with("grant this role"));
  EXPECT_TRUE(findings[2].advice.starts_with("the schema is not what"));
}

TEST(Database, WhereItIs) {
  const struct {
    const char* conninfo;
    bool here;
  } cases[] = {
      {"host=/run/postgresql", true}, {"host=localhost", true},
      {"host=127.0.0.1", true},       {"host=db hostaddr=::1", true},
      {"host=db.example", false},     {"host=db hostaddr=192.0.2.1", false},
  };
  for (const auto& each : cases)
    EXPECT_EQ(is_here(pg::options_for(each.conninfo)->conninfo), each.here) << each.conninfo;
}

// That of a real one is tested by tests/integration/doctor_test.py.
TEST(Database, OneThatIsNotThereIsAFact) {
  const auto options = pg::options_for("postgresql://u@127.0.0.1:1/x");
  const DatabaseFacts facts = examine_database(*options, {}, 5s);
  EXPECT_FALSE(facts.connected);
  EXPECT_NE(facts.failure.find("refused"), std::string::npos) << facts.failure;
}

}  // namespace
}  // namespace ringpost::doctor
