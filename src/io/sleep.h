// Sleep: a wait for time alone.
#pragma once

#include "src/io/reactor.h"
#include "src/io/wait.h"

namespace ringpost::io {

// Suspends for `duration`, or until cancelled.
class Sleep final : public Wait {
 public:
  Sleep(Reactor& reactor, Duration duration, Cancellation* cancellation)
      : Wait(reactor, {reactor.now() + duration, cancellation}) {}
  bool await_ready() const { return false; }
  bool await_suspend(std::coroutine_handle<> awaiter) { return suspend(awaiter); }
  // False when cancelled.
  bool await_resume() const { return outcome() == Outcome::deadline; }
};

}  // namespace ringpost::io
