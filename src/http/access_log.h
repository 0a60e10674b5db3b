// AccessLog: who wants to know of each request that was answered, for a log; and AccessTrail, what
// a session notes for it. Without an access log a session has no trail, and asks for it with one
// branch a request.
//
// A shard has one AccessLog, which outlives its sessions; a trail is its session's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/http/request.h"
#include "proto/http/status.h"
#include "src/io/clock.h"

namespace ringpost::http {

// One request and its answer. The views live until AccessLog::write() returns.
struct Access {
  std::string_view method, path;  // "-" of what was no request; the path without its query
  std::string_view peer;          // "192.0.2.1", "2001:db8::1", or "unix"
  std::string_view request_id;    // X-Request-Id where it is a token; else empty
  std::string_view trace_id;      // of traceparent; else empty
  proto::http::Status status;
  uint64_t bytes;  // of the answer's body
  io::Duration took;
};

class AccessLog {
 public:
  // One request in `every` is written; those that were answered by 500 or more always are. 0: none
  // at all.
  explicit AccessLog(uint64_t every) : every_(every) {}
  virtual ~AccessLog() = default;

  // Whether the next request is one of those.
  bool sample() { return requests_++ % every_ == 0; }
  bool off() const { return every_ == 0; }
  // Takes effect with the next request.
  void set_every(uint64_t every) { every_ = every; }
  virtual void write(const Access& access) = 0;

  static constexpr size_t most_path_bytes = 256;  // what is longer ends in "..."

 private:
  uint64_t every_, requests_ = 0;
};

class AccessTrail {
 public:
  // `fd`: the session's socket, which is asked for its peer.
  AccessTrail(AccessLog& log, int fd);

  // The request of that number was taken; nullptr when what came was none.
  void taken(uint32_t number, const proto::http::Request* request);
  // And answered.
  void answered(uint32_t number, proto::http::Status status, uint64_t body_bytes,
                io::Duration took);

 private:
  struct Note {
    uint32_t number = 0;
    bool sampled = false;
    std::string method, path, request_id, trace_id;
  };

  AccessLog& log_;
  std::string peer_;
  // The first `open_` are of requests without an answer; the others keep their strings' memory.
  std::vector<Note> notes_;
  size_t open_ = 0;
};

// Of what is taken for a request's id: letters, digits and ._:+/=@-, 128 at most.
bool is_request_id(std::string_view value);

}  // namespace ringpost::http
