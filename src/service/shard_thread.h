// ShardThread: the thread that a shard lives on, pinned to its CPUs, and what it ended by.
#pragma once

#include <atomic>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include "src/io/profile.h"
#include "src/service/config.h"
#include "src/service/shard.h"

namespace ringpost::service {

class ShardThread {
 public:
  // `app`, `config`, `spread`, `scrape` and `access_log_every` outlive it; `sockets` become its
  // shard's own.
  ShardThread(const App& app, const Config& config, pg::Spread& spread, Scrape& scrape,
              unsigned index, unsigned count, std::vector<int> cpus, ShardSockets sockets,
              const std::atomic<uint64_t>& access_log_every, int ended_fd);
  ~ShardThread();

  // Starts the thread. When it ends, 1 is added to the eventfd `ended_fd`.
  void start();
  void give(Order order) { give_order(control_fd_, order); }
  // Waits for the thread.
  void join();
  // What the thread ended by when it was no order; once it has ended.
  std::exception_ptr failure() const { return failed_ ? failure_ : nullptr; }
  // What its tasks did and waited for, where config.profile asks for it; once it has ended.
  const io::Profile& profile() const { return profile_; }
  std::string name() const { return "shard-" + std::to_string(index_); }

 private:
  void run();

  const App& app_;
  const Config& config_;
  pg::Spread& spread_;
  Scrape& scrape_;
  unsigned index_;
  std::vector<int> cpus_;
  ShardSockets sockets_;
  const std::atomic<uint64_t>& access_log_every_;
  int ended_fd_;
  int control_fd_;              // eventfd: the orders
  pg::Options pg_;              // with the shard's share of the connections
  std::exception_ptr failure_;  // to be read when `failed_` is true
  std::atomic<bool> failed_ = false;
  io::Profile profile_;
  std::thread thread_;
};

}  // namespace ringpost::service
