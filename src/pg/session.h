// Session: the way to one server and back, from a connected socket to its close, and what the server
// said of itself at its start. connect() of a Connector opens it; a Connection uses it, and opens
// the next one in its place.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proto/pg/backend.h"
#include "proto/pg/target_session.h"
#include "proto/wire/buffer.h"
#include "src/io/address.h"
#include "src/io/buffer_group.h"
#include "src/io/reactor.h"
#include "src/io/stream.h"

namespace ringpost::pg {

class Session {
 public:
  // Both outlive the session.
  Session(io::Reactor& reactor, io::BufferGroup& buffers) : reactor_(reactor), buffers_(buffers) {}

  // Over a socket that is connected to `peer`; it is taken over. REQUIRES: none is open.
  void begin(int fd, const io::Address& peer);
  bool is_open() const { return stream_.has_value(); }

  // As io::Stream says.
  io::Stream::Read read(io::Until until) { return stream_->read(until); }
  void interrupt() { stream_->interrupt(); }
  proto::wire::Buffer& out() { return stream_->out(); }
  void send() { stream_->send(); }

  // Reads on: all that has been received and was not consumed from unread(). It lives until the
  // next call, or until unread() changes.
  io::Task<io::Result<std::string_view>> receive(io::Until until);
  // What was received and is not yet whole.
  proto::wire::Buffer& unread() { return unread_; }

  // Waits a moment until what was sent is taken; not for what can't be sent any more.
  io::Task<void> taken();
  // Drops what is unread and closes the socket. REQUIRES: it is open.
  io::Task<void> close();

  const std::optional<io::Address>& peer() const { return peer_; }
  // For messages.
  const std::string& address() const { return address_; }

  // Of its start.
  std::string server_version;
  proto::pg::ServerState server_state;  // and since then
  proto::pg::BackendKeyData cancel_key;

 private:
  io::Reactor& reactor_;
  io::BufferGroup& buffers_;
  std::optional<io::Stream> stream_;
  std::optional<io::Address> peer_;
  std::string address_;
  proto::wire::Buffer unread_;
};

}  // namespace ringpost::pg
