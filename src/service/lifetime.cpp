#include "src/service/lifetime.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "src/io/listen.h"
#include "src/io/probe.h"
#include "src/io/profile.h"
#include "src/io/ring.h"
#include "src/ops/activation.h"
#include "src/ops/cpus.h"
#include "src/ops/diagnosis.h"

namespace ringpost::service {

namespace {

constexpr mode_t takeover_mode = 0600;
constexpr int takeover_backlog = 8;

[[noreturn]] void give_up(const std::string& why) {
  throw std::runtime_error(why);  // run() of the process says it and ends with 1
}

// Fails here, in one line and before anything has started, when io_uring can't be had.
void probe_ring() {
  try {
    io::probe_kernel();
  } catch (const io::RingError& error) {
    give_up(ops::explain_ring_error(error.code, error.step));
  }
}

template <class T>
T value_or_give_up(std::expected<T, std::string> result) {
  if (!result) give_up(result.error());
  return std::move(*result);
}

}  // namespace

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

Lifetime::Lifetime(const App& app, const Config& config, int argc, char** argv)
    : app_(app),
      config_(config),
      argc_(argc),
      argv_(argv),
      access_log_every_(config.access_log_every),
      spread_(std::max(share(config.db_max_conns, 0, config.started_shards()), 1U),
              config.db_learn_spread),
      scrape_(app, config.pg.conninfo.dbname, spread_) {}

int Lifetime::run() {
  successor_.emplace(argv_, block_signals());
  probe_ring();
  warn();
  notifier_ = value_or_give_up(ops::Notifier::of_environment());
  const unsigned count = config_.started_shards();
  find_sockets(count);
  start_shards(count);
  say_listening(count);
  if (!taker_ && !config_.ready_with_database) become_ready();
  const int status = serve();
  for (const auto& shard : shards_) shard->join();
  write_profile();
  if (!failure_.empty()) give_up(failure_);
  ops::log(ops::Level::info, "stopped", {{"status", status}});
  return status;
}

// Those that were blocked before.
sigset_t Lifetime::block_signals() {
  sigset_t set, before;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR2, SIGCHLD}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, &before);
  signal(SIGPIPE, SIG_IGN);
  // Ignored, as some parents leave it, the kernel would reap a successor and tell nobody.
  signal(SIGCHLD, SIG_DFL);
  signal_fd_ = signalfd(-1, &set, SFD_CLOEXEC);
  if (signal_fd_ == -1) throw std::system_error(errno, std::generic_category(), "signalfd");
  return before;
}

void Lifetime::warn() const {
  if (config_.refused_connections != 0)
    ops::log(ops::Level::warning, "fewer_connections",
             {{"max_connections", config_.http.connections},
              {"wanted", config_.refused_connections},
              {"why", "the others' descriptors are kept for PostgreSQL: raise ulimit -n"}});
  if (const std::string& why = config_.pg.conninfo.warning; !why.empty())
    ops::log(ops::Level::warning, "password_file_not_used", {{"why", why}});
  if (config_.started_shards() != config_.shards)
    ops::log(ops::Level::warning, "fewer_shards",
             {{"shards", config_.started_shards()},
              {"wanted", config_.shards},
              {"why", "each shard needs a connection of its own: raise DB_MAX_CONNS"}});
}

void Lifetime::find_sockets(unsigned count) {
  const std::vector<int> passed = value_or_give_up(ops::take_passed_sockets());
  if (config_.takeover_socket.empty()) {
    sockets_.emplace(passed.empty() ? Sockets::open(config_, count)
                                    : Sockets::adopt(passed, config_, true));
    return;
  }
  if (!passed.empty())
    give_up(
        "LISTEN_FDS and TAKEOVER_SOCKET are both set: a process gets its sockets from its "
        "supervisor or from the process before it; unset one of them");
  takeover_deadline_ = Clock::now() + config_.takeover_limit;
  std::optional<ops::Taker> taker =
      value_or_give_up(ops::Taker::ask(config_.takeover_socket, takeover_deadline_, signal_fd_));
  if (taker) {
    meeting_fd_ = taker->take_meeting();
    meeting_file_ = io::SocketFile(config_.takeover_socket);
    sockets_.emplace(Sockets::adopt(taker->take_sockets(), config_, false));
    sockets_->hand_over();  // the old one has them too, until it leaves
    ops::log(ops::Level::info, "taking_over", {{"from", taker->from()}});
    taker_.emplace(std::move(*taker));
    return;
  }
  takeover_deadline_ = Moment::max();
  sockets_.emplace(Sockets::open(config_, count));
  const auto address = io::Address::unix_socket(config_.takeover_socket);
  const io::Result<int> fd =
      listen_once_free(*address, SOCK_SEQPACKET, takeover_mode, takeover_backlog);
  if (!fd)
    give_up("can't listen at TAKEOVER_SOCKET=" + config_.takeover_socket + ": " +
            fd.error().message());
  meeting_fd_ = *fd;
  meeting_file_ = io::SocketFile(config_.takeover_socket);
}

// A thread that can't be had ends those that were.
void Lifetime::start_shards(unsigned count) {
  const std::vector<int> cpus = ops::allowed_cpus();
  std::vector<std::vector<int>> shares = sockets_->share(count);
  const bool asks = taker_ || config_.ready_with_database;
  ended_fd_ = eventfd(0, EFD_CLOEXEC);
  for (unsigned i = 0; i < count; ++i) {
    ShardSockets sockets{.listening = std::move(shares[i]),
                         .own = asks ? readiness_.connect() : -1};
    shards_.push_back(std::make_unique<ShardThread>(
        app_, config_, spread_, scrape_, i, count,
        config_.pin_shards ? ops::cpus_of_shard(cpus, i, count) : cpus, std::move(sockets),
        access_log_every_, ended_fd_));
  }
  try {
    for (const auto& shard : shards_) {
      shard->start();
      ++started_;
    }
  } catch (const std::exception& error) {
    failure_ = std::string("can't start a shard's thread: ") + error.what() +
               "; raise the limit of processes: ulimit -u, TasksMax= of the service, --pids-limit "
               "of the container";
    cancel();
    give_up(failure_);
  }
}

void Lifetime::say_listening(unsigned count) const {
  const ops::Field host("host", config_.host), port("port", config_.port),
      at("at", sockets_->text()), shards("shards", count), version("version", app_.about().version),
      pid("pid", getpid());
  if (config_.database)
    ops::log(ops::Level::info, "listening",
             {host,
              port,
              at,
              shards,
              {"db_max_conns", config_.db_max_conns},
              {"database", config_.pg.conninfo.dbname},
              version,
              pid});
  else
    ops::log(ops::Level::info, "listening", {host, port, at, shards, version, pid});
}

void Lifetime::write_profile() const {
  if (config_.profile.empty()) return;
  io::Profile profile;
  for (const auto& shard : shards_) profile.merge(shard->profile());
  if (const std::string why = io::write_profile(profile, config_.profile); !why.empty())
    ops::log(ops::Level::warning, "profile_not_written", {{"why", why}});
}

// Until something ends it; its exit status.
int Lifetime::serve() {
  for (;;) {
    const int signal = next_signal(due());
    all_ended();
    if (ended_ != 0) {
      if (!note_failure()) failure_ = "a shard has ended that was not told to";
      return end_failed();
    }
    if (signal == SIGTERM || signal == SIGINT) return drain(signal);
    if (signal == SIGHUP) reload();
    if (signal == SIGUSR2) start_successor();
    if (const auto status = successor_->ended())
      ops::log(ops::Level::warning, "successor_ended", {{"status", *status}});
    if (!ready_) step_readiness();
    if (!failure_.empty()) return end_failed();
    step_takeover();
    if (given_over_) return drain(0);
    step_watchdog();
  }
}

// When something is to be done though nothing has come.
Lifetime::Moment Lifetime::due() const {
  Moment moment = Moment::max();
  if (!ready_) moment = Clock::now() + Readiness::every;
  if (giver_) moment = std::min(moment, giver_->due().value_or(Moment::max()));
  if (const auto watchdog = notifier_.watchdog(); watchdog && ready_)
    moment = std::min(moment, fed_ == Moment::min() ? Clock::now() : fed_ + *watchdog / 4);
  return moment;
}

// The next signal, or 0 when a shard has ended, somebody wants to take over, or the moment has
// come.
int Lifetime::next_signal(Moment until) {
  int timeout_ms = -1;
  if (until != Moment::max())
    timeout_ms = static_cast<int>(
        std::max(std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count(),
                 std::chrono::milliseconds::rep{0}));
  pollfd watched[] = {{signal_fd_, POLLIN, 0},
                      {ended_fd_, POLLIN, 0},
                      {giver_ ? giver_->watched() : -1, POLLIN, 0}};
  if (::poll(watched, 3, timeout_ms) > 0 && watched[0].revents != 0) {
    signalfd_siginfo info{};
    if (::read(signal_fd_, &info, sizeof info) == sizeof info)
      return static_cast<int>(info.ssi_signo);
  }
  return 0;
}

bool Lifetime::all_ended() {
  uint64_t ended = 0;
  pollfd watched{ended_fd_, POLLIN, 0};
  if (::poll(&watched, 1, 0) > 0 && ::read(ended_fd_, &ended, sizeof ended) == sizeof ended)
    ended_ += ended;
  return ended_ == started_;
}

// True when a shard has failed: the name and the reason of the first are noted.
bool Lifetime::note_failure() {
  for (const auto& shard : shards_) {
    if (!failure_.empty()) break;
    if (const std::exception_ptr failure = shard->failure())
      failure_ = shard->name() + ": ended by an error: " + reason(failure);
  }
  return !failure_.empty();
}

}  // namespace ringpost::service
