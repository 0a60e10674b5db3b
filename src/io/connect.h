// Connecting a socket. It is closed again when its wait ends early: a connection that has come
// about by then is not kept.
#pragma once

#include "src/io/address.h"
#include "src/io/error.h"
#include "src/io/reactor.h"
#include "src/io/task.h"

namespace ringpost::io {

// A socket connected to `address`, TCP_NODELAY set where it has one. The caller owns the
// descriptor. Errors: system, timed_out, cancelled.
Task<Result<int>> connect(Reactor& reactor, Address address, Until until);

}  // namespace ringpost::io
