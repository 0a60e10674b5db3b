// Wait: one coroutine suspended until an event, a deadline or a cancellation, whichever comes
// first. The base of every awaitable of this library.
//
// A Wait lives in the frame of the coroutine that awaits it and stays where it is while it is
// suspended. notify() puts the coroutine on the reactor's ready queue, deliver() resumes it on the
// spot. A coroutine is always resumed, never destroyed while it waits, so that a queued Wait can't
// dangle.
#pragma once

#include <cassert>
#include <coroutine>
#include <cstdint>

#include "src/io/cancellation.h"
#include "src/io/error.h"
#include "src/io/list.h"
#include "src/io/timer.h"

namespace ringpost::io {

class Reactor;

class Wait : public ListNode<Wait>, private Timer, private CancelHook {
 public:
  enum class Outcome : uint8_t { pending, event, deadline, cancelled };

  Wait(Reactor& reactor, Until until) : reactor_(reactor), until_(until) {}
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

  bool suspended() const { return awaiter_ != nullptr; }
  Outcome outcome() const { return outcome_; }
  // Why the wait for what `doing` names ended without its event: timed_out or cancelled.
  Error error(const char* doing) const { return error(outcome_, doing); }
  static Error error(Outcome outcome, const char* doing) {
    return {outcome == Outcome::cancelled ? Error::Kind::cancelled : Error::Kind::timed_out, 0,
            doing};
  }
  const Until& until() const { return until_; }
  Reactor& reactor() const { return reactor_; }

  // The event has come: the coroutine runs later in this turn. REQUIRES: suspended, and not yet
  // woken.
  void notify() { wake(Outcome::event); }
  // The event has come, and what it brings is gone soon: the coroutine runs now, inside this call.
  // The same is required.
  void deliver();

 protected:
  ~Wait() { assert(!suspended() && "a coroutine is resumed, never destroyed while it waits"); }

  // Suspends `awaiter`; false when its time is up already, with the outcome set: it then goes on at
  // once.
  bool suspend(std::coroutine_handle<> awaiter);
  // Ends the wait without having suspended.
  void settle(Outcome outcome) { outcome_ = outcome; }

  // Time is up, or cancellation was requested. As it stands the coroutine is woken with that
  // outcome; a wait on something that must first be taken back from the kernel does so, and wakes
  // when it is back.
  virtual void abandon(Outcome why) { wake(why); }
  void wake(Outcome outcome);

 private:
  friend class Reactor;
  void expired() final { abandon(Outcome::deadline); }
  void cancelled() final { abandon(Outcome::cancelled); }
  void disarm();
  void resume();

  Reactor& reactor_;
  Until until_;
  std::coroutine_handle<> awaiter_;
  Outcome outcome_ = Outcome::pending;
};

}  // namespace ringpost::io
