// Acceptor: a listening socket of one shard.
//
// One request waits for a connection; those that came with it are taken by accept4() at once, never
// more than the caller has room for, so that a limit of connections is one of descriptors too. (A
// multishot accept takes all that the backlog holds before it can be cancelled.) What was taken
// queues here until next() hands it out. Short of descriptors (EMFILE and the like) next() reports
// it; accepting goes on with the next call. close() is awaited before the Acceptor ends.
#pragma once

#include <cstdint>
#include <deque>

#include "src/io/condition.h"
#include "src/io/error.h"
#include "src/io/operation.h"
#include "src/io/reactor.h"
#include "src/io/task.h"
#include "src/io/wait.h"

namespace ringpost::io {

class Acceptor final : private Operation {
 public:
  // Takes over the listening descriptor.
  Acceptor(Reactor& reactor, int listening_fd) : reactor_(reactor), fd_(listening_fd) {}
  ~Acceptor();

  class [[nodiscard]] Next;
  // The next connection's descriptor, owned by the caller, who has room for `room` (at least one)
  // with it. Errors: system (EMFILE, ENFILE, ENOBUFS, ENOMEM and what else accept() reports),
  // timed_out, cancelled.
  Next next(size_t room, Until until);

  // Waits until somebody waits in the kernel's backlog, without taking them: for a caller who has
  // no room. Errors: system, timed_out, cancelled.
  Task<Result<void>> arrival(Until until);

  // While somebody waits in next(): there is room for so many by now.
  void limit(size_t room) { room_ = room; }

  // What is to become of those in the kernel's backlog when accepting ends. A socket that another
  // process has too keeps them for it; with the last one they would be reset.
  enum class Backlog : uint8_t { take, leave };
  // Ends accepting, then closes the socket. `accepted` gets what the kernel had accepted for it by
  // then, and with Backlog::take all that waited, so that those are answered and not reset.
  Task<void> close(std::deque<int>& accepted, Backlog backlog = Backlog::take);

 private:
  void complete(int result, uint32_t flags) override;
  void arm();
  // Takes connections that wait in the backlog until `accepted_` holds `most`, or none is left.
  void take(size_t most);

  Reactor& reactor_;
  int fd_;
  size_t room_ = 0;  // of the last next()
  bool armed_ = false, closing_ = false;
  int error_ = 0;
  std::deque<int> accepted_;
  Next* waiting_ = nullptr;
  Condition kernel_done_;  // with the accept
};

class Acceptor::Next final : public Wait {
 public:
  Next(Acceptor& acceptor, size_t room, Until until)
      : Wait(acceptor.reactor_, until), acceptor_(acceptor) {
    acceptor.room_ = room;
  }
  bool await_ready() const { return !acceptor_.accepted_.empty() || acceptor_.error_ != 0; }
  bool await_suspend(std::coroutine_handle<> awaiter);
  Result<int> await_resume();

 private:
  Acceptor& acceptor_;
};

inline Acceptor::Next Acceptor::next(size_t room, Until until) {
  return Next(*this, room, until);
}

}  // namespace ringpost::io
