// Context: what the sessions of one shard share while they wait, read and answer.
//
// Its owner makes it before the listener and ends it after; all of it is of the shard's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "proto/http/request_parser.h"
#include "src/http/access_log.h"
#include "src/http/budget.h"
#include "src/http/handler.h"
#include "src/http/limits.h"
#include "src/http/metrics.h"
#include "src/io/buffer_group.h"
#include "src/io/reactor.h"

namespace ringpost::http {

class Context {
 public:
  // All outlive it. `access_log`: nullptr where none is kept.
  Context(io::Reactor& reactor, io::BufferGroup& buffers, const Limits& limits, Handler& handler,
          AccessLog* access_log = nullptr);
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  io::Reactor& reactor() const { return reactor_; }
  io::BufferGroup& buffers() const { return buffers_; }
  const Limits& limits() const { return limits_; }
  // Limits::drain_grace, unless it was set otherwise, before draining begins.
  std::chrono::milliseconds drain_grace() const { return drain_grace_; }
  void set_drain_grace(std::chrono::milliseconds grace) { drain_grace_ = grace; }
  Handler& handler() const { return handler_; }
  AccessLog* access_log() const { return access_log_; }
  // For the connections that come from now on; those before keep theirs, which outlives them.
  void set_access_log(AccessLog* log) { access_log_ = log; }

  // The value of the Date field, as of this turn (RFC 9110, 6.6.1).
  std::string_view date();
  // For the memory of answers.
  Budget& budget() { return budget_; }
  Metrics& metrics() { return metrics_; }
  // For heads that arrive in one piece (see ServerConnection).
  proto::http::RequestParser& whole_heads() { return whole_heads_; }

 private:
  io::Reactor& reactor_;
  io::BufferGroup& buffers_;
  const Limits& limits_;
  std::chrono::milliseconds drain_grace_;
  Handler& handler_;
  AccessLog* access_log_;
  Budget budget_;
  Metrics metrics_;
  proto::http::RequestParser whole_heads_;
  int64_t date_of_ = -1;
  char date_[29];
};

}  // namespace ringpost::http
