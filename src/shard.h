// Shard: one core's worth of the server: a thread with its reactor, its pool of connections, its
// listener. Shards share nothing.
#pragma once

#include <atomic>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include "src/config.h"

namespace ringpost {

class Shard {
 public:
  // `config` outlives the shard; `listening_fd` becomes its own.
  Shard(const Config& config, unsigned index, unsigned count, std::vector<int> cpus,
        int listening_fd, int ended_fd);
  ~Shard();

  // Starts the thread, pinned to its CPUs. When it ends, 1 is added to the eventfd `ended_fd`.
  void start();
  // Serves as before, but says that it is not ready.
  void leave();
  // Takes no new connections, answers what is in flight, ends.
  void drain();
  // Gives up what is in flight, and ends.
  void cancel();
  // Waits for the thread.
  void join();
  // What the thread ended by when it was no order; once it has ended.
  std::exception_ptr failure() const { return failed_ ? failure_ : nullptr; }
  std::string name() const { return "shard-" + std::to_string(index_); }

 private:
  class Body;
  void run();

  const Config& config_;
  unsigned index_, count_;
  std::vector<int> cpus_;
  int listening_fd_, ended_fd_;
  int control_fd_;  // eventfd: the orders below
  pg::Options pg_;
  std::exception_ptr failure_;  // to be read when `failed_` is true
  std::atomic<bool> failed_ = false;
  std::thread thread_;
};

}  // namespace ringpost
