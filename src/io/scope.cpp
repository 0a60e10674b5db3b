#include "src/io/scope.h"

namespace ringpost::io {

void Scope::spawn(Task<void> child) {
  ++running_;
  const auto frame = child.release();
  frame.promise().end_in(*this);
  frame.resume();
}

void detail::child_ended(Scope& scope, std::coroutine_handle<> frame) noexcept {
  frame.destroy();
  --scope.running_;
  scope.ended_.changed();
}

}  // namespace ringpost::io
