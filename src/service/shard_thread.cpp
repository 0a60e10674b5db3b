#include "src/service/shard_thread.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "src/io/profiler.h"
#include "src/ops/log.h"

namespace ringpost::service {

ShardThread::ShardThread(const App& app, const Config& config, pg::Spread& spread, Scrape& scrape,
                         unsigned index, unsigned count, std::vector<int> cpus,
                         ShardSockets sockets, const std::atomic<uint64_t>& access_log_every,
                         int ended_fd)
    : app_(app),
      config_(config),
      spread_(spread),
      scrape_(scrape),
      index_(index),
      cpus_(std::move(cpus)),
      sockets_(std::move(sockets)),
      access_log_every_(access_log_every),
      ended_fd_(ended_fd),
      control_fd_(eventfd(0, EFD_CLOEXEC)),
      pg_(config.pg) {
  if (control_fd_ == -1) throw std::system_error(errno, std::generic_category(), "eventfd");
  pg_.max_connections = share(config.db_max_conns, index, count);
  pg_.min_connections = std::min(share(config.db_min_conns, index, count), pg_.max_connections);
}

ShardThread::~ShardThread() {
  join();
  ::close(control_fd_);
}

void ShardThread::start() {
  thread_ = std::thread([this] { run(); });
}

void ShardThread::run() {
  pthread_setname_np(pthread_self(), name().c_str());
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus_) CPU_SET(cpu, &set);
  if (const int error = pthread_setaffinity_np(pthread_self(), sizeof set, &set); error != 0)
    ops::log(ops::Level::warning, "shard_not_pinned",
             {{"shard", index_}, {"why", std::generic_category().message(error)}});
  try {
    Shard shard(app_, config_, pg_, spread_, scrape_, index_, sockets_, control_fd_, {},
                &access_log_every_);
    std::optional<io::Profiler> profiler;
    if (!config_.profile.empty()) profiler.emplace();
    shard.run();
    if (profiler) profile_ = profiler->take();
  } catch (...) {
    failure_ = std::current_exception();
    failed_ = true;
  }
  eventfd_write(ended_fd_, 1);
}

void ShardThread::join() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace ringpost::service
