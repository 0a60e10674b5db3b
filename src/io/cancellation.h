// Cancellation: a request to stop that reaches every wait which was handed it, and the source it
// comes from.
//
// A Cancellation is owned by a scope (a session, a pool, the shard) and outlives the waits that
// hook on to it. Sources form a tree: a child is cancelled with its parent. Requesting wakes the
// hooked waits; it does not wait for them: that is join() of the scope.
#pragma once

#include "src/io/clock.h"
#include "src/io/list.h"

namespace ringpost::io {

// Something to be told when cancellation is requested. Unlinked before it ends, and before
// cancelled() is called.
class CancelHook : public ListNode<CancelHook> {
 protected:
  CancelHook() = default;
  ~CancelHook() = default;

 private:
  friend class Cancellation;
  virtual void cancelled() = 0;
};

class Cancellation final : private CancelHook {
 public:
  Cancellation() = default;
  explicit Cancellation(Cancellation* parent) {
    if (parent != nullptr) parent->add(*this);
    requested_ = parent != nullptr && parent->requested();
  }
  ~Cancellation() {
    if (linked()) unlink();
  }

  bool requested() const { return requested_; }

  // Wakes what hangs on this source, and on its children. Once; a second call does nothing.
  void request() {
    if (requested_) return;
    requested_ = true;
    while (!hooks_.empty()) hooks_.pop_front().cancelled();
  }

  void add(CancelHook& hook) { hooks_.push_back(hook); }

 private:
  void cancelled() override { request(); }

  List<CancelHook, CancelHook> hooks_;
  bool requested_ = false;
};

// How long a wait may last, and what ends it early. Every wait takes one.
struct Until {
  Time deadline = never;
  Cancellation* cancellation = nullptr;  // outlives the wait

  Until sooner(Time other) const { return {deadline < other ? deadline : other, cancellation}; }
};

}  // namespace ringpost::io
