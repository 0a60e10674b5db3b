// Connecting a socket. It is closed again when its wait ends early: a connection that has come
// about by then is not kept.
#pragma once

#include <chrono>
#include <optional>

#include "src/io/address.h"
#include "src/io/error.h"
#include "src/io/reactor.h"
#include "src/io/task.h"

namespace ringpost::io {

// How a connection by TCP finds out that its peer has gone without a word (tcp(7)): whether an idle
// one is asked, after how long, how far apart and how often; and how long what was sent may stay
// without an acknowledgement. Empty: as the system has it.
struct TcpOptions {
  bool keepalives = false;
  std::optional<std::chrono::seconds> keepalive_idle, keepalive_interval;
  std::optional<int> keepalive_count;
  std::optional<std::chrono::milliseconds> user_timeout;
};

// A socket connected to `address`; by TCP with TCP_NODELAY and `options`. The caller owns the
// descriptor. Errors: system, timed_out, cancelled.
Task<Result<int>> connect(Reactor& reactor, Address address, Until until, TcpOptions options = {});

}  // namespace ringpost::io
