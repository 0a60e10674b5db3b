// Readiness: whether all shards answer /readyz with 200. Each is asked by a connection of the
// process's own, that no other process can take: at the listening sockets the answer might be
// somebody else's. Never waits: its owner calls step() when it is due.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace ringpost::service {

class Readiness {
 public:
  Readiness() = default;
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;
  ~Readiness() { end(); }

  // A connection to one more shard: its end, which becomes the caller's.
  int connect();
  // Asks, and takes what was answered. Whether all have said yes by now.
  bool step();
  static constexpr std::chrono::milliseconds every{20};
  // Closes the connections.
  void end();

 private:
  struct Link {
    int fd;
    bool asked = false, ready = false;
    std::string answer = {};
  };
  static void step(Link& link);

  std::vector<Link> links_;
};

}  // namespace ringpost::service
