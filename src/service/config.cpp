#include "src/service/config.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <functional>
#include <memory>
#include <sstream>

#include <sys/resource.h>

#include "proto/wire/wipe.h"
#include "src/ops/cpus.h"
#include "src/ops/log.h"
#include "src/ops/memory.h"
#include "src/pg/encryption.h"
#include "src/pg/environment.h"
#include "src/service/config_file.h"
#include "src/service/config_life.h"
#include "src/service/decimal.h"

namespace ringpost::service {

namespace {

// Connections that a shard must be able to have at least.
constexpr size_t least_connections = 16;

// A shard's own: its ring, its orders, its listening socket and the process's copy of that, and the
// connection by which it is asked whether it is ready.
constexpr size_t descriptors_of_shard = 6;

// The limit of descriptors of this process: the soft one is raised to the hard one first.
size_t descriptor_limit() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return 1024;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  getrlimit(RLIMIT_NOFILE, &files);
  return files.rlim_cur;
}

// Sets how many connections a shard takes: as wanted, or (0) as many as descriptors allow. Those
// that the database's connections need stay theirs: without them nothing could be answered.
void limit_connections(Config& config) {
  const size_t wanted = config.wanted_connections;
  const size_t limit = descriptor_limit();
  const size_t shards = config.started_shards();
  const size_t kept_back =
      64 + (config.database ? 2 * size_t{config.db_max_conns} : 0) + descriptors_of_shard * shards;
  const size_t needed = kept_back + least_connections * shards;
  if (limit < needed)
    throw ConfigEnd(
        1, "ulimit -n is " + std::to_string(limit) + ", and " + std::to_string(needed) +
               " descriptors are needed for SHARDS=" + std::to_string(shards) +
               (config.database ? " and DB_MAX_CONNS=" + std::to_string(config.db_max_conns) : "") +
               "; raise it: ulimit -n, or LimitNOFILE= of the service");
  const size_t allowed = (limit - kept_back) / shards;
  config.http.connections = wanted != 0 ? std::min(wanted, allowed) : allowed;
  config.refused_connections = wanted > allowed ? wanted : 0;
}

// Memory for answers, in bytes: of the whole process where it is set, of a shard by default.
constexpr size_t least_answer_memory = 1 << 20;

// Sets the memory that answers of a shard may take: its share of `wanted`, or (0) of half of what
// there is. Where that can't be found out, it stays as it is.
void limit_answers(Config& config, size_t wanted) {
  const size_t shards = config.started_shards();
  if (wanted != 0) {
    config.http.answer_memory = wanted / shards;
  } else if (const uint64_t available = ops::available_memory(); available != 0) {
    config.http.answer_memory = std::max(available / 2 / shards, least_answer_memory);
  }
}

constexpr auto listening = "Listening", postgresql = "PostgreSQL", http_limits = "Limits of HTTP",
               times = "Times";

void add_time(CLI::App& app, const std::string& name, const std::string& variable,
              std::chrono::milliseconds& value, const std::string& what, uint64_t least = 1) {
  Options(app, times).time(name, variable, value, what, least);
}

// A number from `least` to `most`.
template <class T>
CLI::Option* add_number(CLI::App& app, const std::string& name, const std::string& variable,
                        T& value, uint64_t least, uint64_t most, const char* group,
                        const std::string& what) {
  return app.add_option(name, value, what)
      ->envname(variable)
      ->check(decimal(least, most))
      ->type_name("N")
      ->group(group);
}

void add_listening(CLI::App& app, Config& config) {
  app.add_option("--host", config.host,
                 "Where to listen: an address (:: takes IPv4 too), unix:PATH, or several with "
                 "commas between")
      ->envname("LISTEN_HOST")
      ->type_name("ADDRESS")
      ->capture_default_str()
      ->group(listening);
  add_number(app, "--port", "PORT", config.port, 1, 65'535, listening, "TCP port to listen on")
      ->capture_default_str();
  add_number(app, "--shards", "SHARDS", config.shards, 1, 1024, listening,
             "Threads, each with its own listener and connections; by default as many "
             "as affinity and CPU quota allow");
  app.add_flag("--pin-shards,!--no-pin-shards", config.pin_shards,
               "Keep each shard on its share of the cores; better not where PostgreSQL runs on the "
               "same ones")
      ->envname("PIN_SHARDS")
      ->check(truth())
      ->default_str("true")
      ->group(listening);
  app.add_option_function<std::string>(
         "--unix-socket-mode",
         [&config](const std::string& mode) {
           config.unix_socket_mode = static_cast<unsigned>(std::stoul(mode, nullptr, 8));
         },
         "Who may connect to a UNIX socket: its file's mode, in octal digits")
      ->envname("UNIX_SOCKET_MODE")
      ->check([](const std::string& mode) {
        const bool octal = mode.size() >= 3 && mode.size() <= 4 &&
                           mode.find_first_not_of("01234567") == std::string::npos;
        return octal && (mode.size() == 3 || mode.front() == '0')
                   ? ""
                   : mode + " is no mode in octal digits, as 660";
      })
      ->type_name("MODE")
      ->default_str("660")
      ->group(listening);
  add_log(app, config);
  app.add_option("--profile", config.profile,
                 "Sample where the shards' CPU time goes and what their coroutines wait for, and "
                 "write it into this folder at the end: cpu.folded and waits.folded for flame "
                 "graphs, waits.txt to read")
      ->envname("PROFILE")
      ->type_name("FOLDER");
}

void add_postgresql(CLI::App& app, Config& config, std::string& database_url,
                    bool& print_conninfo) {
  app.add_option("--database-url", database_url,
                 "Where it is: a URI or key=value words, as libpq takes them (sslmode and its kin "
                 "for TLS); without it, PGHOST and its kin")
      ->envname("DATABASE_URL")
      ->type_name("CONNINFO")
      ->group(postgresql);
  app.add_flag("--print-conninfo", print_conninfo,
               "Say how it is reached, and what of that comes from the string, a service, the "
               "environment or the defaults; serve nothing")
      ->configurable(false)
      ->group(postgresql);
  add_number(app, "--db-max-conns", "DB_MAX_CONNS", config.db_max_conns, 1, 10'000, postgresql,
             "Connections at most, of all shards together")
      ->capture_default_str();
  add_number(app, "--db-min-conns", "DB_MIN_CONNS", config.db_min_conns, 0, 10'000, postgresql,
             "Connections that are opened at start and kept")
      ->capture_default_str();
  add_number(app, "--db-pipeline-depth", "DB_PIPELINE_DEPTH", config.pg.pipeline_depth, 1, 65'536,
             postgresql, "Queries in flight on one connection at most; a power of two")
      ->check([](const std::string& text) {
        return std::has_single_bit(std::strtoul(text.c_str(), nullptr, 10))
                   ? ""
                   : text + " is no power of two";
      })
      ->capture_default_str();
  app.add_flag("--db-shared-syncs,!--no-db-shared-syncs", config.pg.shared_syncs,
               "Quick reads that leave together share a Sync: less work for PostgreSQL")
      ->envname("DB_SHARED_SYNCS")
      ->check(truth())
      ->default_str("true")
      ->group(postgresql);
  app.add_flag("--db-learn-spread,!--no-db-learn-spread", config.db_learn_spread,
               "As many connections are used as bring more answers; false: all, always")
      ->envname("DB_LEARN_SPREAD")
      ->check(truth())
      ->default_str("true")
      ->group(postgresql);
  add_number(app, "--db-waiting", "DB_WAITING", config.pg.most_waiting, 0, 10'000'000, postgresql,
             "Requests of a shard that wait for a connection at most; more get 503")
      ->capture_default_str();
}

void add_ages(CLI::App& app, Config& config) {
  add_time(app, "--db-max-conn-lifetime-ms", "DB_MAX_CONN_LIFETIME_MS", config.pg.max_age,
           "How old a connection to PostgreSQL may become before another takes its place, up to a "
           "fifth sooner; 0: as old as it can",
           0);
  add_time(
      app, "--db-max-conn-idle-time-ms", "DB_MAX_CONN_IDLE_TIME_MS", config.pg.idle_age,
      "How long one beyond DB_MIN_CONNS may have nothing to do before it is closed; 0: for ever",
      0);
}

void add_http(CLI::App& app, Config& config, size_t& answer_memory) {
  add_number(app, "--max-connections", "MAX_CONNECTIONS", config.wanted_connections, 1, 10'000'000,
             http_limits,
             "Connections of a shard at most; others wait, and the one idle longest makes room; by "
             "default what ulimit -n allows");
  add_number(app, "--max-connections-per-address", "MAX_CONNECTIONS_PER_ADDRESS",
             config.http.connections_of_address, 0, 10'000'000, http_limits,
             "Of these from one IPv4 address or one IPv6 /64; more are closed at once; 0: no limit")
      ->capture_default_str();
  add_number(app, "--max-pipelined", "MAX_PIPELINED", config.http.pipelined, 1, 100'000,
             http_limits, "Requests of one connection that are worked on at a time")
      ->capture_default_str();
  add_number(app, "--max-head-bytes", "MAX_HEAD_BYTES", config.http.head.head_bytes, 256, 1 << 20,
             http_limits, "Largest head of a request; a larger one gets 431")
      ->capture_default_str();
  add_number(app, "--max-body-bytes", "MAX_BODY_BYTES", config.http.body_bytes, 0,
             uint64_t{1} << 40, http_limits, "Largest body of a request; a larger one gets 413")
      ->capture_default_str();
  add_number(app, "--answer-memory-bytes", "ANSWER_MEMORY_BYTES", answer_memory,
             least_answer_memory, uint64_t{1} << 50, http_limits,
             "Memory that answers may take which are not yet read, of all shards together; further "
             "requests wait, then get 503; by default half of the memory that the cgroup, or the "
             "machine, allows");

  add_time(app, "--request-timeout-ms", "REQUEST_TIMEOUT_MS", config.request_timeout,
           config.database ? "How long a request waits for PostgreSQL before it gets 503"
                           : "How long the work on a request may take before it gets 503");
  add_time(app, "--idle-timeout-ms", "IDLE_TIMEOUT_MS", config.http.idle_timeout,
           "How long a connection may be idle");
  add_time(app, "--head-timeout-ms", "HEAD_TIMEOUT_MS", config.http.head_timeout,
           "How long a head may take to come, and a new connection its first byte");
  add_time(app, "--body-timeout-ms", "BODY_TIMEOUT_MS", config.http.body_timeout,
           "How long a body may take to come");
  add_time(app, "--write-timeout-ms", "WRITE_TIMEOUT_MS", config.http.write_timeout,
           "How long a client may take to read what it was sent, all of it");
  app.add_option_function<int64_t>(
         "--turn-wait-us",
         [&config](int64_t us) { config.turn_wait = std::chrono::microseconds(us); },
         "How long a busy shard may wait for more to serve together; 0: it serves at once what "
         "comes")
      ->envname("TURN_WAIT_US")
      ->check(decimal(0, 1'000))
      ->type_name("MICROSECONDS")
      ->default_str(std::to_string(config.turn_wait.count()))
      ->group(times);
  add_time(
      app, "--drain-delay-ms", "DRAIN_DELAY_MS", config.drain_delay,
      "How long all is served on after SIGTERM or SIGINT while /readyz answers 503, before the "
      "drain begins",
      0);
  add_time(
      app, "--drain-limit-ms", "DRAIN_LIMIT_MS", config.drain_limit,
      "How long requests in flight have after SIGTERM or SIGINT; a second signal ends at once");
}

// Connections that are kept open for longer than a drain may take would end by its limit.
void limit_grace(Config& config) {
  if (config.takeover_grace < config.drain_limit) return;
  if (!config.takeover_socket.empty() && config.is_given("--takeover-grace-ms"))
    throw ConfigEnd(2, "TAKEOVER_GRACE_MS is " + std::to_string(config.takeover_grace.count()) +
                           ", and has to be less than DRAIN_LIMIT_MS, which is " +
                           std::to_string(config.drain_limit.count()));
  config.takeover_grace = config.drain_limit / 2;
}

void read_conninfo(Config& config, const std::string& name, std::string& database_url,
                   bool print_conninfo) {
  const proto::pg::ConninfoContext context = pg::context_of_process(name);
  auto conninfo = proto::pg::parse_conninfo(database_url, context);
  if (!conninfo) throw ConfigEnd(2, "DATABASE_URL: " + conninfo.error());
  if (print_conninfo)
    throw ConfigEnd(0, proto::pg::explain_conninfo(database_url, context).value_or(""));
  proto::wire::wipe(database_url);  // it may have a password in it
  if (const auto fault = pg::find_tls_fault(*conninfo))
    throw ConfigEnd(2, "DATABASE_URL: " + *fault);
  if (const auto limit = conninfo->connect_timeout)  // a day is as good as no limit
    config.pg.connect_timeout = *limit == limit->zero() ? std::chrono::hours(24) : *limit;
  config.pg.conninfo = std::move(*conninfo);
  config.pg.passwords = std::make_shared<pg::Passwords>(config.pg.conninfo);
}

// `others`: the file may have settings that are none of these.
void add_config_file(CLI::App& app, bool& print, bool others) {
  app.set_config("--config", "", "Settings from this file, as --print-config shows it")
      ->type_name("FILE");
  app.config_formatter(std::make_shared<ConfigFile>(app, others));
  app.add_flag("--print-config", print,
               "Print a file for --config, with every setting and its default; serve nothing")
      ->configurable(false);
}

// What is used of it, by name; the values' hashes.
std::map<std::string, size_t> settings_of(const CLI::App& app) {
  std::map<std::string, size_t> settings;
  for (const CLI::Option* option : app.get_options()) {
    size_t hash = 0;  // not set
    for (const std::string& value : option->results())
      hash = (hash * 31 + std::hash<std::string>()(value)) | 1;
    settings[option->get_name()] = hash;
  }
  return settings;
}

Config read(const App& service, App* with_own, int argc, const char* const* argv) {
  Config config;
  config.database = service.about().database;
  const std::string name(service.about().name);
  CLI::App app(
      name + ": " + std::string(service.about().description) +
          "\nEach option can be set by the environment variable in brackets or by the file "
          "of --config; the command line wins over the environment, that over the file.",
      name);
  app.set_version_flag("--version", name + " " + std::string(service.about().version));
  bool print_config = false;
  add_config_file(app, print_config, with_own == nullptr);
  app.get_formatter()->column_width(44);

  std::string database_url;
  bool print_conninfo = false;
  size_t answer_memory = 0;
  add_purposes(app, config);
  add_listening(app, config);
  add_life(app, config);
  if (config.database) {
    add_postgresql(app, config, database_url, print_conninfo);
    add_ages(app, config);
  }
  add_http(app, config, answer_memory);
  Options own(app, "Of " + name);
  if (with_own != nullptr)
    with_own->add_options(own);
  else
    app.allow_extras();

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& end) {  // --help, --version
    std::ostringstream text;
    app.exit(end, text, text);
    throw ConfigEnd(0, text.str());
  } catch (const CLI::ParseError& error) {
    throw ConfigEnd(2, std::string(error.what()) + " (" + name + " --help lists the options)");
  }
  const auto& files = app.get_config_ptr()->results();
  if (!files.empty() && files.front().empty())
    throw ConfigEnd(2,
                    "--config: the name of the file is empty; leave the option out, or name one");
  if (!files.empty()) config.file = files.front();
  config.settings = settings_of(app);
  if (with_own != nullptr) ops::set_log_format(config.log_format);

  if (print_config) throw ConfigEnd(0, app.config_to_str(true, true));
  if (config.purpose == Config::Purpose::healthcheck) return config;

  if (config.database) read_conninfo(config, name, database_url, print_conninfo);
  if (app.count("--shards") == 0)
    config.shards = ops::default_shards(ops::allowed_cpus().size(), ops::cpu_quota());
  if (config.db_min_conns > config.db_max_conns) config.db_min_conns = config.db_max_conns;
  // That there are too few descriptors is a finding of the doctor's, and not its end.
  if (config.purpose != Config::Purpose::doctor) limit_connections(config);
  limit_answers(config, answer_memory);
  limit_grace(config);
  config.http.room_timeout = config.request_timeout;
  return config;
}

}  // namespace

Config read_config(App& service, int argc, const char* const* argv) {
  return read(service, &service, argc, argv);
}

Config read_config_again(const App& service, int argc, const char* const* argv) {
  return read(service, nullptr, argc, argv);
}

std::vector<std::string> changed_settings(const Config& before, const Config& after) {
  std::vector<std::string> changed;
  for (const auto& [name, hash] : after.settings) {
    const auto was = before.settings.find(name);
    bool differs = was != before.settings.end() && was->second != hash;
    // It has more sources than its text: a service file, the password file.
    if (name == "--database-url") differs |= before.pg.conninfo != after.pg.conninfo;
    if (differs) changed.push_back(name);
  }
  return changed;
}

}  // namespace ringpost::service
