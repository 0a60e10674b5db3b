// ringpost, the process: settings, listening sockets, shards; then signals until it ends.
//
// SIGTERM and SIGINT drain: 0 when all was answered within the drain limit, 1 when some had to be
// given up. A second one ends at once, with 128 + its number.
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "src/config.h"
#include "src/io/acceptor.h"
#include "src/io/address.h"
#include "src/io/probe.h"
#include "src/io/ring.h"
#include "src/ops/cpus.h"
#include "src/ops/diagnosis.h"
#include "src/ops/healthcheck.h"
#include "src/ops/log.h"
#include "src/shard.h"

namespace ringpost {
namespace {

constexpr int backlog = 4096;
// Longer than /readyz takes to say no, shorter than engines wait.
constexpr std::chrono::milliseconds healthcheck_limit{1'900};

[[noreturn]] void give_up(const std::string& why) {
  throw std::runtime_error(why);  // main() says it and ends with 1
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

class Process {
 public:
  explicit Process(const Config& config) : config_(config) {}

  int run() {
    block_signals();
    probe_ring();
    const unsigned count = shard_count();
    const std::vector<int> cpus = ops::allowed_cpus();
    const std::vector<int> sockets = listen_for_all(config_, count);
    ended_fd_ = eventfd(0, EFD_CLOEXEC);
    for (unsigned i = 0; i < count; ++i)
      shards_.push_back(std::make_unique<Shard>(
          config_, i, count, config_.pin_shards ? ops::cpus_of_shard(cpus, i, count) : cpus,
          sockets[i], ended_fd_));
    for (const auto& shard : shards_) shard->start();
    ops::log(ops::Level::info, "listening",
             {{"host", config_.host},
              {"port", config_.port},
              {"shards", count},
              {"db_max_conns", config_.db_max_conns},
              {"database", config_.pg.conninfo.dbname},
              {"version", RINGPOST_VERSION},
              {"pid", getpid()}});
    const int status = wait();
    for (const auto& shard : shards_) shard->join();
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

  unsigned shard_count() const {
    if (config_.shards <= config_.db_max_conns) return config_.shards;
    ops::log(ops::Level::warning, "fewer_shards",
             {{"shards", config_.db_max_conns},
              {"wanted", config_.shards},
              {"why", "each shard needs a connection of its own: raise DB_MAX_CONNS"}});
    return config_.db_max_conns;
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
    return ended_ == shards_.size();
  }

  int wait() {
    const int signal = next_signal(-1);
    if (signal == 0) {  // a shard has failed; the others follow, and join() throws its reason
      for (const auto& shard : shards_) shard->cancel();
      return 1;
    }
    ops::log(ops::Level::info, "draining",
             {{"signal", signal}, {"limit_ms", config_.drain_limit.count()}});
    for (const auto& shard : shards_) shard->drain();
    const auto limit = std::chrono::steady_clock::now() + config_.drain_limit;
    int status = 0;
    while (!all_ended()) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(limit - std::chrono::steady_clock::now())
              .count();
      if (left <= 0 && status == 0) {
        status = 1;
        ops::log(ops::Level::warning, "drain_limit_reached", {});
        for (const auto& shard : shards_) shard->cancel();
      }
      if (const int second = next_signal(status == 0 ? static_cast<int>(left) : -1); second != 0) {
        ops::log(ops::Level::warning, "ended_at_once", {{"signal", second}});
        ops::end_log();
        std::_Exit(128 + second);
      }
    }
    return status;
  }

  const Config& config_;
  std::vector<std::unique_ptr<Shard>> shards_;
  int signal_fd_ = -1, ended_fd_ = -1;
  uint64_t ended_ = 0;
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
int run(int argc, char** argv) {
  const Config config = read_config(argc, argv);
  if (config.healthcheck) {
    if (const auto illness = ops::find_illness(config.host, config.port, healthcheck_limit))
      give_up(*illness);
    return 0;
  }
  ops::set_log_level(config.log_level);
  return Process(config).run();
}

}  // namespace
}  // namespace ringpost

int main(int argc, char** argv) {
  using namespace ringpost;
  open_standard_descriptors();
  int status = 1;
  std::string last_line;
  try {
    status = run(argc, argv);
  } catch (const ConfigEnd& end) {
    status = end.status;
    if (status == 0)
      std::fputs(end.what(), stdout);
    else
      last_line = end.what();
  } catch (const io::RingError& error) {
    last_line = "ringpost: " + ops::explain_ring_error(error.code, error.step);
  } catch (const std::exception& error) {
    last_line = std::string("ringpost: ") + error.what();
  }
  const bool log_ended = ops::end_log();
  if (!last_line.empty()) ops::write_line(last_line);
  if (!log_ended) std::_Exit(status);
  return status;
}
