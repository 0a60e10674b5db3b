// Scope: the children that a coroutine has spawned, and the promise that they end before it does.
//
// The owner joins before the scope ends. Children are given until() of the scope, so that cancel()
// reaches all their waits; cancelling asks, join() waits.
#pragma once

#include <cassert>
#include <cstddef>

#include "src/io/cancellation.h"
#include "src/io/condition.h"
#include "src/io/task.h"

namespace ringpost::io {

class Scope {
 public:
  explicit Scope(Reactor& reactor, Cancellation* parent = nullptr)
      : reactor_(reactor), cancellation_(parent) {}
  ~Scope() { assert(running_ == 0); }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  // Starts `child` now, inside this call, up to its first wait. The scope owns it from here on.
  void spawn(Task<void> child);

  // The task that now runs will join this scope: profiles show the children below it.
  void owned_by_running_task() { owner_ = running_task(); }
  void* owner() const { return owner_; }

  size_t running() const { return running_; }
  Cancellation& cancellation() { return cancellation_; }
  void cancel() { cancellation_.request(); }
  Until until(Time deadline = never) { return {deadline, &cancellation_}; }

  // Waits until no child runs. Has no deadline of its own: children have theirs.
  auto join() {
    return ended_.wait(reactor_, {}, [this] { return running_ == 0; });
  }

 private:
  friend void detail::child_ended(Scope& scope, std::coroutine_handle<> frame) noexcept;

  Reactor& reactor_;
  Cancellation cancellation_;
  size_t running_ = 0;
  void* owner_ = nullptr;  // its frame; outlives the children
  Condition ended_;        // a child has
};

}  // namespace ringpost::io
