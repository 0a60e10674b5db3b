// Acceptor: a listening socket of one shard, accepting by one multishot request (Linux 5.19).
//
// Connections that the kernel has accepted queue here until next() hands them out. Short of
// descriptors (EMFILE and the like) the request ends with that error and next() reports it;
// accepting goes on with the next call. close() is awaited before the Acceptor ends.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "src/io/address.h"
#include "src/io/error.h"
#include "src/io/operation.h"
#include "src/io/reactor.h"
#include "src/io/wait.h"

namespace ringpost::io {

// A bound and listening TCP socket with SO_REUSEPORT (one a shard; the kernel spreads connections
// over them) and TCP_NODELAY, which accepted sockets inherit. The caller owns it.
Result<int> listen_tcp(const Address& address, int backlog);

class Acceptor final : private Operation {
 public:
  // Takes over the listening descriptor.
  Acceptor(Reactor& reactor, int listening_fd) : reactor_(reactor), fd_(listening_fd) {}
  ~Acceptor();

  class [[nodiscard]] Next;
  // The next connection's descriptor, owned by the caller. Errors: system (EMFILE, ENFILE, ENOBUFS,
  // ENOMEM and what else accept() reports), timed_out, cancelled.
  Next next(Until until);

  // Ends accepting, then closes the socket. `refused` gets what the kernel had accepted for it by
  // then, so that those are answered and not reset.
  Task<void> close(std::deque<int>& accepted);

 private:
  class Quiet;
  void complete(int result, uint32_t flags) override;
  void arm();

  Reactor& reactor_;
  int fd_;
  bool armed_ = false, closing_ = false;
  int error_ = 0;
  std::deque<int> accepted_;
  Wait* waiting_ = nullptr;
};

class Acceptor::Next final : public Wait {
 public:
  Next(Acceptor& acceptor, Until until) : Wait(acceptor.reactor_, until), acceptor_(acceptor) {}
  bool await_ready() const { return !acceptor_.accepted_.empty() || acceptor_.error_ != 0; }
  bool await_suspend(std::coroutine_handle<> awaiter);
  Result<int> await_resume();

 private:
  Acceptor& acceptor_;
};

inline Acceptor::Next Acceptor::next(Until until) {
  return Next(*this, until);
}

}  // namespace ringpost::io
