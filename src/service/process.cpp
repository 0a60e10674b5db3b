#include "src/service/process.h"

// The process: settings, listening sockets, shards; then signals until it ends.
//
// SIGTERM and SIGINT drain, after the drain's delay: 0 when all was answered within the drain
// limit, 1 when some had to be given up. A second one ends at once, with 128 + its number.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "src/io/address.h"
#include "src/io/listen.h"
#include "src/io/probe.h"
#include "src/io/profile.h"
#include "src/io/ring.h"
#include "src/ops/cpus.h"
#include "src/ops/diagnosis.h"
#include "src/ops/healthcheck.h"
#include "src/ops/log.h"
#include "src/service/config.h"
#include "src/service/shard_thread.h"

namespace ringpost::service {
namespace {

// Of the program, for its last words; set before anything can fail.
std::string_view program = "?";

constexpr int backlog = 4096;
// How long a shard may take to end once it has been told to give up what it does.
constexpr std::chrono::milliseconds cancel_limit{5'000};
// Longer than /readyz takes to say no, shorter than engines wait.
constexpr std::chrono::milliseconds healthcheck_limit{1'900};

[[noreturn]] void give_up(const std::string& why) {
  throw std::runtime_error(why);  // run() says it and ends with 1
}

// SO_REUSEPORT would let a second server share the port in silence: the first bind is without it.
void check_port_is_free(const io::Address& address) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd == -1) return;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const bool free = ::bind(fd, address.data(), address.length) == 0 && ::listen(fd, 1) == 0;
  const int error = errno;
  ::close(fd);
  if (!free && error == EADDRINUSE)
    give_up("port " + address.text() +
            " is in use; stop what uses it or choose another: PORT=8081");
}

// `::` is both families at once; on a host that has no IPv6 it is IPv4 alone.
bool falls_back_to_ipv4(const Config& config, const io::Error& error) {
  return config.host == "::" && (error.code == EAFNOSUPPORT || error.code == EADDRNOTAVAIL);
}

std::vector<int> listen_for_all(const Config& config, unsigned shards) {
  std::optional<io::Address> address = io::Address::numeric(config.host, config.port);
  if (!address) give_up("LISTEN_HOST is " + config.host + ", which is no IPv4 or IPv6 address");
  check_port_is_free(*address);
  std::vector<int> sockets;
  while (sockets.size() < shards) {
    const io::Result<int> fd = io::listen_tcp(*address, backlog);
    if (fd) {
      sockets.push_back(*fd);
    } else if (address->family() == AF_INET6 && falls_back_to_ipv4(config, fd.error())) {
      address = io::Address::numeric("0.0.0.0", config.port);
      check_port_is_free(*address);
    } else {
      give_up("can't listen on " + address->text() + ": " + fd.error().message());
    }
  }
  return sockets;
}

// Fails here, in one line and before anything has started, when io_uring can't be had.
void probe_ring() {
  try {
    io::probe_kernel();
  } catch (const io::RingError& error) {
    give_up(ops::explain_ring_error(error.code, error.step));
  }
}

std::string reason(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const io::RingError& error) {
    return ops::explain_ring_error(error.code, error.step);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception of an unknown kind";
  }
}

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

class Process {
 public:
  Process(const App& app, const Config& config)
      : app_(app),
        config_(config),
        spread_(std::max(share(config.db_max_conns, 0, config.started_shards()), 1U),
                config.db_learn_spread),
        scrape_(app, config.pg.conninfo.dbname, spread_) {}

  int run() {
    block_signals();
    probe_ring();
    if (config_.refused_connections != 0)
      ops::log(ops::Level::warning, "fewer_connections",
               {{"max_connections", config_.http.connections},
                {"wanted", config_.refused_connections},
                {"why", "the others' descriptors are kept for PostgreSQL: raise ulimit -n"}});
    if (const std::string& why = config_.pg.conninfo.warning; !why.empty())
      ops::log(ops::Level::warning, "password_file_not_used", {{"why", why}});
    const unsigned count = config_.started_shards();
    warn_of_fewer(count);
    const std::vector<int> cpus = ops::allowed_cpus();
    const std::vector<int> sockets = listen_for_all(config_, count);
    ended_fd_ = eventfd(0, EFD_CLOEXEC);
    for (unsigned i = 0; i < count; ++i)
      shards_.push_back(std::make_unique<ShardThread>(
          app_, config_, spread_, scrape_, i, count,
          config_.pin_shards ? ops::cpus_of_shard(cpus, i, count) : cpus, sockets[i], ended_fd_));
    start_shards();
    say_listening(count);
    const int status = wait();
    for (const auto& shard : shards_) shard->join();
    write_profile();
    if (!failure_.empty()) give_up(failure_);
    ops::log(ops::Level::info, "stopped", {{"status", status}});
    return status;
  }

 private:
  void block_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT}) sigaddset(&set, signal);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    signal(SIGPIPE, SIG_IGN);
    signal_fd_ = signalfd(-1, &set, SFD_CLOEXEC);
    if (signal_fd_ == -1) throw std::system_error(errno, std::generic_category(), "signalfd");
  }

  void say_listening(unsigned count) const {
    const ops::Field host("host", config_.host), port("port", config_.port),
        shards("shards", count), version("version", app_.about().version), pid("pid", getpid());
    if (config_.database)
      ops::log(ops::Level::info, "listening",
               {host,
                port,
                shards,
                {"db_max_conns", config_.db_max_conns},
                {"database", config_.pg.conninfo.dbname},
                version,
                pid});
    else
      ops::log(ops::Level::info, "listening", {host, port, shards, version, pid});
  }

  void warn_of_fewer(unsigned count) const {
    if (count == config_.shards) return;
    ops::log(ops::Level::warning, "fewer_shards",
             {{"shards", count},
              {"wanted", config_.shards},
              {"why", "each shard needs a connection of its own: raise DB_MAX_CONNS"}});
  }

  void write_profile() const {
    if (config_.profile.empty()) return;
    io::Profile profile;
    for (const auto& shard : shards_) profile.merge(shard->profile());
    if (const std::string why = io::write_profile(profile, config_.profile); !why.empty())
      ops::log(ops::Level::warning, "profile_not_written", {{"why", why}});
  }

  static int milliseconds_until(std::chrono::steady_clock::time_point moment) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(moment - std::chrono::steady_clock::now());
    return static_cast<int>(left.count());
  }

  // The next signal, or 0 when a shard has ended or `timeout_ms` have passed (-1: none).
  int next_signal(int timeout_ms) {
    pollfd watched[] = {{signal_fd_, POLLIN, 0}, {ended_fd_, POLLIN, 0}};
    if (::poll(watched, 2, timeout_ms) > 0 && watched[0].revents != 0) {
      signalfd_siginfo info{};
      if (::read(signal_fd_, &info, sizeof info) == sizeof info)
        return static_cast<int>(info.ssi_signo);
    }
    return 0;
  }

  bool all_ended() {
    uint64_t ended = 0;
    pollfd watched{ended_fd_, POLLIN, 0};
    if (::poll(&watched, 1, 0) > 0 && ::read(ended_fd_, &ended, sizeof ended) == sizeof ended)
      ended_ += ended;
    return ended_ == started_;
  }

  // A thread that can't be had ends those that were.
  void start_shards() {
    try {
      for (const auto& shard : shards_) {
        shard->start();
        ++started_;
      }
    } catch (const std::exception& error) {
      failure_ = std::string("can't start a shard's thread: ") + error.what();
      cancel();
      give_up(failure_);
    }
  }

  // Gives up what is in flight, and waits for the threads, but not for ever: one that does not end
  // is left, with the process.
  void cancel() {
    for (const auto& shard : shards_) shard->give(Order::cancel);
    const auto limit = std::chrono::steady_clock::now() + cancel_limit;
    while (!all_ended()) {
      const auto left = milliseconds_until(limit);
      if (left <= 0) end_at_once(1, "shards_do_not_end", {{"of", started_}, {"ended", ended_}});
      if (const int second = next_signal(left); second != 0)
        end_at_once(128 + second, "ended_at_once", {{"signal", second}});
    }
  }

  [[noreturn]] void end_at_once(int status, std::string_view event,
                                std::initializer_list<ops::Field> fields) {
    ops::log(ops::Level::warning, event, fields);
    ops::end_log();
    if (!failure_.empty()) ops::write_line(std::string(program) + ": " + failure_);
    std::_Exit(status);
  }

  // True when a shard has failed: the name and the reason of the first are noted.
  bool note_failure() {
    for (const auto& shard : shards_) {
      if (!failure_.empty()) break;
      if (const std::exception_ptr failure = shard->failure())
        failure_ = shard->name() + ": ended by an error: " + reason(failure);
    }
    return !failure_.empty();
  }

  // Serves on for the drain's delay, while /readyz sends balancers elsewhere.
  void lead_away(int signal) {
    if (config_.drain_delay.count() == 0) return;
    ops::log(ops::Level::info, "leaving",
             {{"signal", signal}, {"delay_ms", config_.drain_delay.count()}});
    for (const auto& shard : shards_) shard->give(Order::leave);
    const auto end = std::chrono::steady_clock::now() + config_.drain_delay;
    while (ended_ == 0) {  // a shard that fails cuts it short
      const auto left = milliseconds_until(end);
      if (left <= 0) return;
      if (const int second = next_signal(left); second != 0)
        end_at_once(128 + second, "ended_at_once", {{"signal", second}});
      all_ended();
    }
  }

  int wait() {
    int signal = 0;
    while (signal == 0 && ended_ == 0) {
      signal = next_signal(-1);
      all_ended();
    }
    if (signal == 0) {
      if (!note_failure()) failure_ = "a shard has ended that was not told to";
      cancel();
      return 1;
    }
    lead_away(signal);
    ops::log(ops::Level::info, "draining",
             {{"signal", signal}, {"limit_ms", config_.drain_limit.count()}});
    for (const auto& shard : shards_) shard->give(Order::drain);
    const auto limit = std::chrono::steady_clock::now() + config_.drain_limit;
    while (!all_ended()) {
      const auto left = milliseconds_until(limit);
      if (left <= 0) {
        ops::log(ops::Level::warning, "drain_limit_reached", {});
        cancel();
        return 1;
      }
      // A shard that fails now is told of at the end: the others still answer what they were asked.
      if (const int second = next_signal(left); second != 0)
        end_at_once(128 + second, "ended_at_once", {{"signal", second}});
    }
    note_failure();
    return 0;
  }

  const App& app_;
  const Config& config_;
  pg::Spread spread_;
  Scrape scrape_;
  std::vector<std::unique_ptr<ShardThread>> shards_;
  int signal_fd_ = -1, ended_fd_ = -1;
  uint64_t started_ = 0, ended_ = 0;
  std::string failure_;  // the first shard's that ended by an error, for the last line
};

// A descriptor from 0 to 2 that is closed at start would become a socket or an eventfd, and the log
// would be written into it.
void open_standard_descriptors() {
  for (int fd = 0; fd >= 0 && fd <= STDERR_FILENO;) {
    fd = ::open("/dev/null", O_RDWR);
    if (fd > STDERR_FILENO) ::close(fd);
  }
}

// Everything until the process has nothing left to do; its status.
int serve(App& app, int argc, char** argv) {
  const Config config = read_config(app, argc, argv);
  if (config.healthcheck) {
    if (const auto illness = ops::find_illness(config.host, config.port, healthcheck_limit))
      give_up(*illness);
    return 0;
  }
  ops::set_log_level(config.log_level);
  return Process(app, config).run();
}

}  // namespace

int run(App& app, int argc, char** argv) {
  program = app.about().name;
  open_standard_descriptors();
  std::set_terminate(end_by_exception);
  int status = 1;
  std::string last_line;
  try {
    status = serve(app, argc, argv);
  } catch (const ConfigEnd& end) {
    status = end.status;
    if (status == 0)
      std::fputs(end.what(), stdout);
    else
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
