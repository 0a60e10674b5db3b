#include "src/config.h"

#include <bit>
#include <cstdlib>

#include <CLI/CLI.hpp>  // options, environment and a help text that wraps: well kept, and known to users
#include <pwd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "src/ops/cpus.h"

namespace ringpost {

namespace {

std::string os_user() {
  const passwd* entry = getpwuid(geteuid());
  return entry != nullptr ? entry->pw_name : "postgres";
}

std::optional<std::string> environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

// As many connections of a shard as descriptors allow: the soft limit is raised to the hard one
// first.
size_t connection_limit(unsigned shards, uint32_t db_connections) {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return 1000;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  getrlimit(RLIMIT_NOFILE, &files);
  const size_t kept_back = 64 + 2 * size_t{db_connections};
  return files.rlim_cur > kept_back + shards ? (files.rlim_cur - kept_back) / shards : 1;
}

void add_time(CLI::App& app, const std::string& name, const std::string& variable,
              std::chrono::milliseconds& value, const std::string& what) {
  app.add_option_function<int64_t>(
         name, [&value](int64_t milliseconds) { value = std::chrono::milliseconds(milliseconds); },
         what + ", in ms")
      ->envname(variable)
      ->check(CLI::Range(int64_t{1}, int64_t{86'400'000}))
      ->type_name("MS")
      ->default_str(std::to_string(value.count()));
}

}  // namespace

Config read_config(int argc, const char* const* argv) {
  Config config;
  CLI::App app(
      "ringpost: a users API served from PostgreSQL by io_uring, one shard per core.\n"
      "Each option can be set by the environment variable in brackets; the command line wins.",
      "ringpost");
  app.set_version_flag("--version", "ringpost " RINGPOST_VERSION);
  app.get_formatter()->column_width(44);

  std::string database_url;
  size_t connections = 0;

  app.add_option("--host", config.host, "Address to listen on; :: takes IPv4 too")
      ->envname("HOST")
      ->capture_default_str();
  app.add_option("--port", config.port, "TCP port to listen on")
      ->envname("PORT")
      ->capture_default_str();
  auto* shards =
      app.add_option(
             "--shards", config.shards,
             "Threads, each with its own ring, listener and connections; by default as many as "
             "affinity and CPU quota allow")
          ->envname("SHARDS")
          ->check(CLI::Range(1, 1024));
  app.add_option("--database-url", database_url,
                 "PostgreSQL: a URI or key=value words, as libpq takes them; without it, PGHOST "
                 "and its like")
      ->envname("DATABASE_URL");
  app.add_option("--db-max-conns", config.db_max_conns,
                 "Connections to PostgreSQL at most, of all shards together")
      ->envname("DB_MAX_CONNS")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app.add_option("--db-min-conns", config.db_min_conns,
                 "Connections that are opened at start and kept")
      ->envname("DB_MIN_CONNS")
      ->check(CLI::Range(0, 10'000))
      ->capture_default_str();
  app.add_option("--db-pipeline-depth", config.pg.pipeline_depth,
                 "Queries in flight on one connection at most (a power of two)")
      ->envname("DB_PIPELINE_DEPTH")
      ->check(CLI::Range(1, 65'536))
      ->check([](const std::string& text) {
        return std::has_single_bit(std::strtoul(text.c_str(), nullptr, 10)) ? ""
                                                                            : "is no power of two";
      })
      ->capture_default_str();
  app.add_option("--db-packing-depth", config.pg.packing_depth,
                 "Queries that one connection takes before the next is used")
      ->envname("DB_PACKING_DEPTH")
      ->check(CLI::Range(1, 65'536))
      ->capture_default_str();
  app.add_option("--db-waiting", config.pg.waiting,
                 "Requests of a shard that wait for a connection at most; more get 503")
      ->envname("DB_WAITING")
      ->capture_default_str();
  app.add_option("--max-connections", connections,
                 "HTTP connections of one shard at most; by default what ulimit -n allows")
      ->envname("MAX_CONNECTIONS");
  app.add_option("--max-pipelined", config.http.pipelined,
                 "Requests of one connection that are worked on at a time")
      ->envname("MAX_PIPELINED")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_option("--max-head-bytes", config.http.head.head_bytes,
                 "Largest request head; a larger one gets 431")
      ->envname("MAX_HEAD_BYTES")
      ->check(CLI::Range(256, 1 << 20))
      ->capture_default_str();
  app.add_option("--max-body-bytes", config.http.body_bytes,
                 "Largest request body; a larger one gets 413")
      ->envname("MAX_BODY_BYTES")
      ->capture_default_str();
  add_time(app, "--request-timeout-ms", "REQUEST_TIMEOUT_MS", config.request_timeout,
           "How long a request waits for PostgreSQL before it gets 503");
  add_time(app, "--idle-timeout-ms", "IDLE_TIMEOUT_MS", config.http.idle_timeout,
           "How long a connection may be idle");
  add_time(app, "--head-timeout-ms", "HEAD_TIMEOUT_MS", config.http.head_timeout,
           "How long a head may take to come");
  add_time(app, "--body-timeout-ms", "BODY_TIMEOUT_MS", config.http.body_timeout,
           "How long a body may take to come");
  add_time(app, "--write-timeout-ms", "WRITE_TIMEOUT_MS", config.http.write_timeout,
           "How long a client may take to read its answers");
  add_time(
      app, "--drain-limit-ms", "DRAIN_LIMIT_MS", config.drain_limit,
      "How long requests in flight have after SIGTERM or SIGINT; a second signal ends at once");
  app.add_option("--log-level", config.log_level, "What to log: debug, info, warning or error")
      ->envname("LOG_LEVEL")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& end) {  // --help, --version
    std::ostringstream text;
    app.exit(end, text, text);
    throw ConfigEnd(0, text.str());
  } catch (const CLI::ParseError& error) {
    throw ConfigEnd(
        2, std::string("ringpost: ") + error.what() + " (ringpost --help lists the options)\n");
  }

  auto conninfo = proto::pg::parse_conninfo(
      database_url, {.lookup = environment, .os_user = os_user(), .application_name = "ringpost"});
  if (!conninfo) throw ConfigEnd(2, "ringpost: DATABASE_URL: " + conninfo.error() + "\n");
  config.pg.conninfo = std::move(*conninfo);

  if (shards->count() == 0)
    config.shards = ops::default_shards(ops::allowed_cpus().size(), ops::cpu_quota());
  if (config.db_min_conns > config.db_max_conns) config.db_min_conns = config.db_max_conns;
  config.http.connections =
      connections != 0 ? connections : connection_limit(config.shards, config.db_max_conns);
  return config;
}

}  // namespace ringpost
