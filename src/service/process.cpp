#include "src/service/process.h"

// The process: its settings, and what they are there for: to serve (lifetime.h), or to look whether
// it can be done.
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "src/doctor/database.h"
#include "src/doctor/machine.h"
#include "src/ops/healthcheck.h"
#include "src/ops/hidden_variables.h"
#include "src/ops/log.h"
#include "src/service/config.h"
#include "src/service/lifetime.h"
#include "src/service/sockets.h"

namespace ringpost::service {
namespace {

// Of the program, for its last words; set before anything can fail.
std::string_view program = "?";

// Longer than /readyz takes to say no, shorter than engines wait.
constexpr std::chrono::milliseconds healthcheck_limit{1'900};
// For a session, and all that it is asked.
constexpr std::chrono::milliseconds database_limit{15'000};

// An exception that nobody catches, in a coroutine that was spawned for one: says where and what,
// and ends with 1. abort() would leave a core file and say nothing.
[[noreturn]] void end_by_exception() {
  char thread[16] = "?";
  pthread_getname_np(pthread_self(), thread, sizeof thread);
  const std::exception_ptr exception = std::current_exception();
  // No memory is taken for the line: that there is none is the likeliest reason.
  char line[1024];
  std::snprintf(line, sizeof line, "%.*s: %s: ended by an error: %s",
                static_cast<int>(program.size()), program.data(), thread,
                exception ? reason(exception).c_str() : "std::terminate was called");
  ops::write_line(line);
  ::_exit(1);
}

// A descriptor from 0 to 2 that is closed at start would become a socket or an eventfd, and the log
// would be written into it.
void open_standard_descriptors() {
  for (int fd = 0; fd >= 0 && fd <= STDERR_FILENO;) {
    fd = ::open("/dev/null", O_RDWR);
    if (fd > STDERR_FILENO) ::close(fd);
  }
}

int check_health(const Config& config) {
  const std::string host = listening_hosts(config.host).front();
  if (const auto illness = ops::find_illness(host, config.port, healthcheck_limit))
    throw std::runtime_error(*illness);
  return 0;
}

// For whoever has asked. A full disk is an error, not an empty file that looks as if all was well.
void print(const std::string& text) {
  if (std::fputs(text.c_str(), stdout) == EOF || std::fflush(stdout) != 0)
    throw std::runtime_error("can't write to standard output: " +
                             std::generic_category().message(errno));
}

int report(const doctor::Findings& findings) {
  print(doctor::to_text(findings));
  return doctor::all_fit(findings) ? 0 : 1;
}

doctor::Findings examine_database(const App& app, const Config& config) {
  if (!config.database) return {};
  try {
    return doctor::judge(doctor::examine_database(config.pg, app.statements(), database_limit),
                         config.db_max_conns);
  } catch (const std::exception&) {  // without io_uring
    return {doctor::unfit("the database could not be asked: " + reason(std::current_exception()),
                          "see above")};
  }
}

// Settings that are wrong have ended the process before.
int check(const App& app, const Config& config) {
  doctor::Findings findings{doctor::fit("the settings can be used")};
  const doctor::Findings database = examine_database(app, config);
  findings.insert(findings.end(), database.begin(), database.end());
  return report(findings);
}

int examine(const App& app, const Config& config) {
  const bool here = config.database && doctor::is_here(config.pg.conninfo);
  doctor::Findings findings =
      doctor::examine_machine({.shards = config.started_shards(),
                               .pinned = config.pin_shards,
                               .db_max_conns = config.database ? config.db_max_conns : 0,
                               .max_connections = config.wanted_connections},
                              here);
  const doctor::Findings database = examine_database(app, config);
  findings.insert(findings.end(), database.begin(), database.end());
  return report(findings);
}

// Everything until the process has nothing left to do; its status.
int serve(App& app, int argc, char** argv) {
  std::optional<Config> read;
  try {
    read = read_config(app, argc, argv);
  } catch (const ConfigEnd& end) {
    if (end.status != 0) throw;
    print(end.what());
    return 0;
  }
  const Config& config = *read;
  switch (config.purpose) {
    case Config::Purpose::healthcheck:
      return check_health(config);
    case Config::Purpose::check:
      return check(app, config);
    case Config::Purpose::doctor:
      return examine(app, config);
    case Config::Purpose::serve:
      break;
  }
  ops::set_log_level(config.log_level);
  return Lifetime(app, config, argc, argv).run();
}

}  // namespace

int run(App& app, int argc, char** argv) {
  program = app.about().name;
  ops::hide_variables({"DATABASE_URL", "PGPASSWORD"});
  open_standard_descriptors();
  std::set_terminate(end_by_exception);
  int status = 1;
  std::string last_line;
  try {
    status = serve(app, argc, argv);
  } catch (const ConfigEnd& end) {
    status = end.status;
    last_line = std::string(program) + ": " + end.what();
  } catch (...) {
    last_line = std::string(program) + ": " + reason(std::current_exception());
  }
  const bool log_ended = ops::end_log();
  if (!last_line.empty()) ops::write_line(last_line);
  if (!log_ended) std::_Exit(status);
  return status;
}

}  // namespace ringpost::service
