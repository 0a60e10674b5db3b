// Operation: something the kernel has been asked to do. Its address is the request's user_data, so
// it stays where it is, and so does every buffer that it names, until its last completion (the one
// without IORING_CQE_F_MORE) has come.
#pragma once

#include <cstdint>

namespace ringpost::io {

class Operation {
 public:
  Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  // One completion: `result` is the call's value or -errno, `flags` the IORING_CQE_F_ bits. Called
  // from the reactor's loop before any coroutine of this turn runs; it notes what has come and
  // wakes who waits.
  virtual void complete(int result, uint32_t flags) = 0;

 protected:
  ~Operation() = default;
};

}  // namespace ringpost::io
