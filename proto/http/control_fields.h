// ControlFields: the header fields that decide where a message ends, whom it asks and what becomes
// of its connection; all that request smuggling plays with (RFC 9112, 3.2, 6, 9.3 and 11.2).
//
// take() is given each field as it is read, decide() settles the request when all are there. It
// keeps facts and no views.
#pragma once

#include <cstdint>
#include <string_view>

#include "proto/http/request.h"
#include "proto/http/status.h"

namespace ringpost::proto::http {

class ControlFields {
 public:
  const Refusal* take(std::string_view name, std::string_view value) {
    switch (name.size()) {
      case 4:   // Host
      case 6:   // Expect
      case 10:  // Connection
      case 14:  // Content-Length
      case 17:  // Transfer-Encoding
        return take_control(name, value);
      default:
        return nullptr;
    }
  }

  // Sets framing, content_length, keep_alive and expect_continue of a request of this
  // minor_version.
  const Refusal* decide(Request& request) const;

 private:
  const Refusal* take_control(std::string_view name, std::string_view value);
  const Refusal* host(std::string_view value);
  const Refusal* content_length(std::string_view value);
  const Refusal* transfer_encoding(std::string_view value);
  void connection(std::string_view value);
  void expect(std::string_view value);

  uint64_t content_length_ = 0;
  bool has_host_ = false, has_content_length_ = false, has_transfer_encoding_ = false;
  bool chunked_ = false, other_coding_ = false;
  bool close_ = false, keep_alive_ = false;
  bool expects_continue_ = false, expects_other_ = false;
};

// uri-host [ ":" port ] (RFC 9110, 7.2; RFC 3986, 3.2.2), with a host that is not empty.
bool is_authority(std::string_view text);

}  // namespace ringpost::proto::http
