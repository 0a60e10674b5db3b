#include "src/io/scope.h"

namespace ringpost::io {

void Scope::spawn(Task<void> child) {
  ++running_;
  const auto frame = child.release();
  frame.promise().end_in(*this);
  void* const outer = running_task();
  note_running(frame.address());
  frame.resume();
  note_running(outer);  // goes on
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
