// Why a wait or a socket operation did not bring what was asked for. A value: cheap to return and
// to copy.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace ringpost::io {

struct Error {
  enum class Kind : uint8_t {
    timed_out,  // the deadline of the wait came first
    cancelled,  // the scope that the wait belongs to was cancelled
    closed,     // the peer has closed its side
    system,     // the kernel said no: `code` is its errno
    resolve,    // a host name was not resolved: `code` is getaddrinfo's EAI_ value
    tls,        // TLS failed: `code` is one of tls_reason.h
    busy,       // too much of that waits already
  };
  Kind kind;
  int code = 0;
  const char* doing = "";  // what was being done, a literal: "receive", "connect"

  // One line for a log: "receive: Connection reset by peer".
  std::string message() const;

  static Error system(int code, const char* doing) { return {Kind::system, code, doing}; }
};

template <class T>
using Result = std::expected<T, Error>;

}  // namespace ringpost::io
