#include "src/io/wait.h"

#include <cassert>
#include <utility>

#include "src/io/profiler.h"
#include "src/io/reactor.h"

namespace ringpost::io {

bool Wait::suspend(std::coroutine_handle<> awaiter) {
  if (until_.cancellation != nullptr) {
    if (until_.cancellation->requested()) return settle(Outcome::cancelled), false;
    until_.cancellation->add(*this);
  }
  if (until_.deadline != never) {
    if (until_.deadline <= reactor_.now()) {
      disarm();
      return settle(Outcome::deadline), false;
    }
    reactor_.timers().start(*this, until_.deadline);
  }
  outcome_ = Outcome::pending;
  awaiter_ = awaiter;
  if (Profiler::any()) [[unlikely]]
    Profiler::wait_begins(*this, awaiter.address());
  return true;
}

void Wait::disarm() {
  if (CancelHook::linked()) CancelHook::unlink();
  reactor_.timers().stop(*this);
}

void Wait::wake(Outcome outcome) {
  if (outcome_ != Outcome::pending) return;
  assert(suspended());
  disarm();
  outcome_ = outcome;
  reactor_.ready(*this);
}

void Wait::deliver() {
  disarm();
  outcome_ = Outcome::event;
  void* const outer = running_task();
  resume();
  note_running(outer);  // goes on
}

void Wait::resume() {
  if (Profiler::any()) [[unlikely]]
    Profiler::wait_ends(*this);
  note_running(awaiter_.address());
  std::exchange(awaiter_, nullptr).resume();
}

}  // namespace ringpost::io
