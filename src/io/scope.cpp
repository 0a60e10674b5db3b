#include "src/io/scope.h"

namespace ringpost::io {

void Scope::spawn(Task<void> child) {
  ++running_;
  const auto frame = child.release();
  frame.promise().end_in(*this);
  const Running child_runs(frame.address());
  frame.resume();
}

void* detail::PromiseBase::awaiter() const {
  return scope_ != nullptr ? scope_->owner() : continuation_.address();
}

void detail::child_ended(Scope& scope, std::coroutine_handle<> frame) noexcept {
  frame.destroy();
  --scope.running_;
  scope.ended_.changed();
}

}  // namespace ringpost::io
