// Host names looked up without stopping a shard: getaddrinfo() blocks, so it runs on threads of its
// own, a few for the whole process. Who asks for a name that is being looked up waits for that
// look-up; what has ended is not kept, so each question is asked anew.
//
// A look-up can't be ended: one that hangs keeps its thread until the system gives up, and whoever
// waits for it goes at its own deadline. Behind it others queue, so many and no more. A thread
// lives as long as there is something to look up; what it and those who wait write to is shared by
// them, so that neither has to outlive the other, and the end of the process waits for none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "src/io/address.h"
#include "src/io/error.h"
#include "src/io/reactor.h"
#include "src/io/task.h"

namespace ringpost::io {

class Resolver {
 public:
  // Appends the addresses of a host, and takes its time; 0, or getaddrinfo's EAI_ value.
  using Lookup = std::function<int(const std::string& host, std::vector<Address>& addresses)>;

  struct Limits {
    unsigned threads = 2;
    size_t queued = 64;  // names, beside those that are being looked up
  };

  Resolver(Lookup lookup, Limits limits);

  // As resolve() below. The resolver outlives the call.
  Task<Result<std::vector<Address>>> resolve(Reactor& reactor, std::string host, uint16_t port,
                                             Until until);

  // The system's, for all of the process.
  static Resolver& system();

 private:
  struct Waiter;
  class Queue;

  std::shared_ptr<Queue> queue_;
};

// The addresses of a host name in the resolver's order; of a numeric one itself, at once. Any
// thread may ask. Errors: resolve, timed_out, cancelled, system; busy when too many names wait.
Task<Result<std::vector<Address>>> resolve(Reactor& reactor, std::string host, uint16_t port,
                                           Until until);

}  // namespace ringpost::io
