#include "src/service/config_life.h"

#include <string>

#include <CLI/CLI.hpp>

#include "src/ops/log_format.h"
#include "src/service/decimal.h"
#include "src/service/options.h"

namespace ringpost::service {

namespace {
constexpr auto listening = "Listening", times = "Times";
}  // namespace

void add_log(CLI::App& app, Config& config) {
  app.add_option_function<std::string>(
         "--log-level",
         [&config](const std::string& name) { config.log_level = *ops::level_of(name); },
         "What to log: debug, info, warning or error")
      ->envname("LOG_LEVEL")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}).description(""))
      ->type_name("LEVEL")
      ->default_str("info");
  app.add_option_function<std::string>(
         "--log-format",
         [&config](const std::string& name) { config.log_format = *ops::log_format_of(name); },
         "How lines of the log are written: logfmt or json")
      ->envname("LOG_FORMAT")
      ->check(CLI::IsMember({"logfmt", "json"}).description(""))
      ->type_name("FORMAT")
      ->default_str("logfmt");
  app.add_option_function<std::string>(
         "--access-log",
         [&config](const std::string& which) {
           config.access_log_every = which == "off" ? 0 : which == "all" ? 1 : std::stoull(which);
         },
         "A line for each request on standard output: off, all, or a number N for one in N of each "
         "shard and all that are answered by 500 or more")
      ->envname("ACCESS_LOG")
      ->check([](const std::string& which) {
        if (which == "off" || which == "all") return std::string();
        const CLI::Validator number = decimal(1, 1'000'000'000);
        return number(which).empty() ? std::string()
                                     : which + " is neither off nor all nor a number from 1 on";
      })
      ->type_name("WHICH")
      ->default_str("off");
}

void add_life(CLI::App& app, Config& config) {
  app.add_option("--takeover-socket", config.takeover_socket,
                 "A UNIX socket where a new process gets the listening sockets of the one that "
                 "serves, which then drains: a restart that refuses nobody")
      ->envname("TAKEOVER_SOCKET")
      ->type_name("PATH")
      ->group(listening);
  app.add_option_function<std::string>(
         "--ready-when",
         [&config](const std::string& when) { config.ready_with_database = when == "database"; },
         "When a supervisor (NOTIFY_SOCKET) is told that the service is ready: listening, or "
         "database, when /readyz says so on each shard")
      ->envname("READY_WHEN")
      ->check(CLI::IsMember({"listening", "database"}).description(""))
      ->type_name("WHEN")
      ->default_str("listening")
      ->group(listening);
  Options(app, times)
      .time("--takeover-limit-ms", "TAKEOVER_LIMIT_MS", config.takeover_limit,
            "How long a process that takes over may need until it is ready; then it ends, and the "
            "old one serves on");
  Options(app, times)
      .time("--takeover-grace-ms", "TAKEOVER_GRACE_MS", config.takeover_grace,
            "How long a connection without a request is kept open once another process has taken "
            "over: "
            "the next one is answered, and told to connect anew; less than DRAIN_LIMIT_MS");
  Options(app, times)
      .time("--drain-grace-ms", "DRAIN_GRACE_MS", config.http.drain_grace,
            "How long a connection without a request is kept open when draining begins, for one "
            "that is on its way");
}

// Adds `--check` and the like, which are not served with.
void add_purposes(CLI::App& app, Config& config) {
  using enum Config::Purpose;
  const auto when = [&config](Config::Purpose purpose) {
    return [&config, purpose](int64_t) { config.purpose = purpose; };
  };
  CLI::Option* asks = app.add_flag_function("--healthcheck", when(healthcheck),
                                            "Ask the server that runs here with these settings "
                                            "whether it is ready; 0 when it is, else 1")
                          ->configurable(false);
  app.add_flag_function("--check", when(check),
                        "Look whether these settings are good and the database is what they say; 0 "
                        "when they are, else 1")
      ->configurable(false)
      ->excludes(asks);
  app.add_subcommand("doctor",
                     "Look whether this machine, or container, and the database are fit for these "
                     "settings, and say what to do where they are not; 0 when they are, else 1")
      ->fallthrough()
      ->callback([&config] { config.purpose = doctor; });
}

}  // namespace ringpost::service
