#include "src/doctor/database.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace ringpost::doctor {

namespace {

std::string in_ms(std::chrono::microseconds time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f ms", static_cast<double>(time.count()) / 1000);
  return text;
}

// What to do about the usual reasons why there is no session.
std::string advice_for(const std::string& failure) {
  const auto says = [&failure](const char* words) {
    return failure.find(words) != std::string::npos;
  };
  if (says("28P01") || says("28000") || says("password"))
    return "see user and password: DATABASE_URL, PGUSER, PGPASSWORD or ~/.pgpass, and the server's "
           "pg_hba.conf; ringpost --print-conninfo shows which are used";
  if (says("thread"))
    return "raise the limit of processes: ulimit -u, TasksMax= of the service, --pids-limit of the "
           "container";
  if (says("3D000")) return "make the database, or name another one in DATABASE_URL";
  if (says("53300")) return "raise max_connections, or lower DB_MAX_CONNS and what others take";
  if (says("certificate") || says("TLS") || says("SSL"))
    return "see sslmode, sslrootcert and the server's certificate: docs/tls.md";
  if (says("refused") || says("No such file"))
    return "start PostgreSQL, or see host and port: ringpost --print-conninfo";
  if (says("resolve") || says("known") || says("Name"))
    return "see the host's name, and that this machine or container can look it up";
  if (says("timed out") || says("in time") || says("No route") || says("unreachable"))
    return "see host, port, firewalls and the container's network: ringpost --print-conninfo";
  return "ringpost --print-conninfo shows how it is reached";
}

}  // namespace

Finding check_connected(const DatabaseFacts& facts) {
  if (!facts.connected)
    return unfit("no session with PostgreSQL: " + facts.failure, advice_for(facts.failure));
  std::string what = "a session with PostgreSQL " + facts.server_version + " at " + facts.address +
                     " as " + facts.user + ", database " + facts.dbname;
  if (!facts.authentication.empty()) what += ", logged in by " + facts.authentication;
  if (facts.standby) what += ", a standby";
  return fit(what);
}

Finding check_version(int64_t version) {
  constexpr int64_t oldest = 140'000;
  const std::string major = std::to_string(version / 10'000);
  if (version < oldest)
    return note("PostgreSQL " + major + " is no longer maintained, and not tested with",
                "upgrade to 15 or newer");
  return fit("PostgreSQL " + major + " is one that is tested with");
}

Finding check_encryption(const DatabaseFacts& facts) {
  if (facts.encrypted) return fit("the session is encrypted by TLS");
  if (facts.here) return fit("the session is not encrypted, and does not leave this machine");
  return note("the session is not encrypted, and leaves this machine",
              "sslmode=verify-full with sslrootcert: docs/tls.md");
}

Finding check_encoding(const std::string& encoding) {
  if (encoding == "SQL_ASCII")
    return note(
        "the database's encoding is SQL_ASCII: it may hold text that is no UTF-8, which is "
        "answered by 500",
        "a database in UTF8");
  return fit("the database's encoding is " + encoding);
}

Finding check_round_trip(std::chrono::microseconds round_trip, bool here) {
  using namespace std::chrono_literals;
  const std::string what = "a round trip takes " + in_ms(round_trip);
  if (here && round_trip > 2ms)
    return note(what + ", which is much on one machine",
                "see whether it has a CPU to itself: nothing else should be busy while this runs");
  if (round_trip > 10ms)
    return note(what + ": each request takes as long at least", "run nearer to the database");
  return fit(what);
}

Finding check_pooler(int session_process, int server_process) {
  if (session_process == server_process || session_process == 0)
    return fit("nothing stands between: prepared statements are kept");
  return note("a pooler stands between (the session's process is " +
                  std::to_string(session_process) + ", the server's " +
                  std::to_string(server_process) +
                  "): where it lends a server for a transaction alone, each query brings its "
                  "statement with it",
              "PgBouncer 1.21 or newer with max_prepared_statements, or PostgreSQL without it: "
              "the program needs no pooler");
}

Finding check_budget(const DatabaseFacts& facts, uint32_t budget) {
  int64_t most = facts.max_connections - facts.reserved;
  std::string bound = "max_connections " + std::to_string(facts.max_connections) + ", of which " +
                      std::to_string(facts.reserved) + " are reserved";
  const auto tighter = [&](int64_t limit, const std::string& whose) {
    if (limit < 0 || limit >= most) return;
    most = limit;
    bound = "a limit of " + std::to_string(limit) + " for " + whose;
  };
  tighter(facts.role_limit, "the role " + facts.user);
  tighter(facts.database_limit, "the database " + facts.dbname);
  const std::string asked = "DB_MAX_CONNS is " + std::to_string(budget);
  if (int64_t{budget} > most)
    return unfit(asked + ", and PostgreSQL has " + bound,
                 "lower DB_MAX_CONNS to " + std::to_string(std::max<int64_t>(most, 1)) +
                     " or less, or raise the limit");
  if (int64_t{budget} + facts.others > most)
    return note(asked + ", others have " + std::to_string(facts.others) +
                    " sessions now, and PostgreSQL has " + bound,
                "lower DB_MAX_CONNS, or raise the limit, so that there is room for all");
  if (2 * int64_t{budget} + facts.others > most)
    return note(
        asked + ": enough, but not for two processes at once (PostgreSQL has " + bound + ")",
        "half of it, or a higher limit, where a new process takes over from the old one");
  return fit(asked + ", and PostgreSQL has room for it (" + bound + ")");
}

Findings check_statements(const DatabaseFacts& facts) {
  Findings findings;
  for (const auto& [name, why] : facts.broken) {
    const bool missing = why.find("42P01") != std::string::npos;
    const bool forbidden = why.find("42501") != std::string::npos;
    std::string what = "the statement ";
    what.append(name).append(" can't be used: ").append(why);
    findings.push_back(unfit(
        std::move(what),
        missing     ? "make the tables: run the migrations on this database (make migrate)"
        : forbidden ? "grant this role what the statement needs: GRANT SELECT ON ..."
                    : "the schema is not what this release is made for: run its migrations, or "
                      "the release that fits the schema"));
  }
  if (findings.empty())
    findings.push_back(fit("all " + std::to_string(facts.statements) +
                           " statements can be prepared, and are of the types that are declared"));
  return findings;
}

Findings judge(const DatabaseFacts& facts, uint32_t budget) {
  Findings findings{check_connected(facts)};
  if (!facts.connected) return findings;
  if (!facts.failure.empty()) {
    findings.push_back(
        unfit("the session ended while it was asked: " + facts.failure, "see the server's log"));
    return findings;
  }
  findings.push_back(check_version(facts.version));
  findings.push_back(check_encryption(facts));
  findings.push_back(check_encoding(facts.encoding));
  findings.push_back(check_round_trip(facts.round_trip, facts.here));
  findings.push_back(check_pooler(facts.session_process, facts.server_process));
  findings.push_back(check_budget(facts, budget));
  const Findings statements = check_statements(facts);
  findings.insert(findings.end(), statements.begin(), statements.end());
  return findings;
}

bool is_here(const proto::pg::Conninfo& conninfo) {
  const proto::pg::Host& host = conninfo.hosts.front();
  if (host.is_unix_socket()) return true;
  const std::string& name = host.address.empty() ? host.name : host.address;
  return name == "localhost" || name.starts_with("127.") || name == "::1";
}

}  // namespace ringpost::doctor
