// Condition: what one coroutine waits for, as a predicate over its owner's state.
//
//     auto settled = settled_.wait(reactor, until, [this] { return in_flight_ == 0; });
//     co_await settled;
//
// Whoever changes that state calls changed(), which wakes the coroutine once the predicate holds.
// One coroutine waits at a time; the Condition, and what the predicate looks at, outlive the wait.
#pragma once

#include <cassert>
#include <utility>

#include "src/io/wait.h"

namespace ringpost::io {

class Condition {
  class Waiter : public Wait {
   public:
    virtual bool holds() const = 0;

   protected:
    using Wait::Wait;
    ~Waiter() = default;
  };

 public:
  Condition() = default;
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;
  ~Condition() { assert(waiter_ == nullptr); }

  // Awaited: true when the predicate holds, false when the deadline or a cancellation came first.
  template <class Predicate>
  class [[nodiscard]] Awaiter final : public Waiter {
   public:
    Awaiter(Condition& condition, Reactor& reactor, Until until, Predicate predicate)
        : Waiter(reactor, until), condition_(condition), predicate_(std::move(predicate)) {}

    const Predicate& predicate() const { return predicate_; }
    bool holds() const override { return predicate_(); }
    bool await_ready() const { return predicate_(); }
    bool await_suspend(std::coroutine_handle<> awaiter) {
      if (!this->suspend(awaiter)) return false;
      assert(condition_.waiter_ == nullptr);
      condition_.waiter_ = this;
      return true;
    }
    bool await_resume() {
      if (condition_.waiter_ == this) condition_.waiter_ = nullptr;
      return predicate_();
    }

   private:
    Condition& condition_;
    Predicate predicate_;
  };

  template <class Predicate>
  Awaiter<Predicate> wait(Reactor& reactor, Until until, Predicate predicate) {
    return {*this, reactor, until, std::move(predicate)};
  }

  bool awaited() const { return waiter_ != nullptr; }

  // Always inlined: it is mostly no more than a look, at each answer and each send.
  [[gnu::always_inline]] void changed() {
    if (waiter_ != nullptr && waiter_->outcome() == Wait::Outcome::pending && waiter_->holds())
      waiter_->notify();
  }

 private:
  Waiter* waiter_ = nullptr;
};

}  // namespace ringpost::io
