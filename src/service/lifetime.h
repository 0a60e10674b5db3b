// Lifetime: what a process does while it serves, on its main thread: starts the shards, listens to
// signals, to a process that takes over and to the time, and ends.
//
//     SIGTERM, SIGINT   drain, after the drain's delay: 0 when all was answered within the drain
//                       limit, 1 when some had to be given up; a second one ends at once, with 128
//                       + its number
//     SIGHUP            reads the settings again, and takes what can be taken from them
//     SIGUSR2           starts a successor, which takes over by TAKEOVER_SOCKET
//
// A process that takes over says that it is ready when all its shards answer /readyz; one that is
// not by its limit ends, with 1, and leaves everything to the old one. A supervisor hears of all
// that by ops::Notifier, and of each shard's turns by its watchdog.
#pragma once

#include <atomic>
#include <chrono>
#include <exception>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/io/socket_file.h"
#include "src/ops/log.h"
#include "src/ops/notify.h"
#include "src/ops/takeover.h"
#include "src/pg/spread.h"
#include "src/service/app.h"
#include "src/service/config.h"
#include "src/service/metrics.h"
#include "src/service/readiness.h"
#include "src/service/shard_thread.h"
#include "src/service/sockets.h"
#include "src/service/successor.h"

namespace ringpost::service {

class Lifetime {
 public:
  // All outlive it.
  Lifetime(const App& app, const Config& config, int argc, char** argv);
  Lifetime(const Lifetime&) = delete;
  Lifetime& operator=(const Lifetime&) = delete;

  // Until the process has nothing left to do; its exit status. Throws std::runtime_error with the
  // reason when it can't start, or a shard has failed.
  int run();

 private:
  using Clock = std::chrono::steady_clock;
  using Moment = Clock::time_point;

  sigset_t block_signals();
  void warn() const;
  void find_sockets(unsigned count);
  void start_shards(unsigned count);
  void say_listening(unsigned count) const;
  void write_profile() const;

  int serve();
  Moment due() const;
  int next_signal(Moment until);
  bool all_ended();
  bool note_failure();
  void step_readiness();
  void become_ready();
  void succeed();
  void step_takeover();
  void leave();
  void step_watchdog();
  // Of the connection string nothing but passwords can be taken.
  bool takes_passwords_of(const Config& fresh) const;
  void reload();
  void start_successor();

  int drain(int signal);
  void end_meeting();
  void lead_away(int signal);
  int end_failed();
  void cancel();
  [[noreturn]] void end_at_once(int status, std::string_view event,
                                std::initializer_list<ops::Field> fields);

  const App& app_;
  const Config& config_;
  const int argc_;
  char** const argv_;
  std::atomic<uint64_t> access_log_every_;  // as of now: read by the shards
  pg::Spread spread_;
  Scrape scrape_;
  ops::Notifier notifier_;
  std::optional<Sockets> sockets_;
  std::optional<ops::Taker> taker_;  // until this process is ready
  std::optional<ops::Giver> giver_;  // from then on
  int meeting_fd_ = -1;              // in between
  io::SocketFile meeting_file_;
  std::optional<Successor> successor_;
  Readiness readiness_;
  std::vector<std::unique_ptr<ShardThread>> shards_;
  int signal_fd_ = -1, ended_fd_ = -1;
  uint64_t started_ = 0, ended_ = 0;
  bool ready_ = false;
  bool given_over_ = false;  // another process serves by now
  Moment takeover_deadline_ = Moment::max();
  Moment fed_ = Moment::min();          // when the watchdog was last
  std::map<unsigned, uint64_t> turns_;  // of each shard, then
  std::string failure_;  // why it ends: the first shard's that ended by an error, for the last line
};

// For the last line of a process.
std::string reason(const std::exception_ptr& exception);

}  // namespace ringpost::service
