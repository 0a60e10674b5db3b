// AwaitedOperation: one request to the kernel, awaited until it completes, which it does once
// (connect, read of an eventfd).
//
// `Prepare` fills in the submission entry; what it points at lives in the awaiting frame and so
// outlives the completion: when time is up or cancellation comes, the request is cancelled and its
// completion awaited before the coroutine goes on.
#pragma once

#include <utility>

#include "src/io/error.h"
#include "src/io/operation.h"
#include "src/io/reactor.h"
#include "src/io/wait.h"

namespace ringpost::io {

template <class Prepare>
class [[nodiscard]] AwaitedOperation final : public Wait, private Operation {
 public:
  // `doing` is a literal that names the call in errors.
  AwaitedOperation(Reactor& reactor, Until until, const char* doing, Prepare prepare)
      : Wait(reactor, until), doing_(doing), prepare_(std::move(prepare)) {}

  bool await_ready() const { return false; }
  bool await_suspend(std::coroutine_handle<> awaiter) {
    if (!suspend(awaiter)) return false;
    prepare_(reactor().ring().prepare(this));
    return true;
  }
  // The call's value (not negative), or why there is none. A request that was done before it could
  // be cancelled counts as done.
  Result<int> await_resume() const {
    if (result_ >= 0) return result_;
    if (abandoned_ != Outcome::pending) return std::unexpected(error(abandoned_, doing_));
    if (outcome() != Outcome::event) return std::unexpected(error(doing_));
    return std::unexpected(Error::system(-result_, doing_));
  }

 private:
  void complete(int result, uint32_t) override {
    result_ = result;
    notify();
  }
  void abandon(Outcome why) override {
    if (abandoned_ != Outcome::pending) return;
    abandoned_ = why;
    reactor().ring().cancel(*this);
  }

  const char* doing_;
  Prepare prepare_;
  int result_ = -1;
  Outcome abandoned_ = Outcome::pending;
};

}  // namespace ringpost::io
