// Reads the server's answers, strictly: what RFC 9112 lets a server write, and of that only what
// this one says it writes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ringpost::simulation {

struct Response {
  int status = 0;
  bool close = false, retry_after = false;
  std::string_view body;
  size_t length = 0;  // as Content-Length says it, of HEAD too
  size_t size = 0;    // all of it, in bytes
};

// The first response in `bytes`; no value when it is not all there. `wrong` says what is wrong with
// it, when something is. `head_only`: it answers HEAD.
std::optional<Response> read_response(std::string_view bytes, bool head_only, std::string& wrong);

}  // namespace ringpost::simulation
