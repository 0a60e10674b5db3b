// Session: the way to one server and back, from a connected socket to its close, in plain text or
// by TLS, and what the server said of itself at its start. connect() of a Connector opens it; a
// Connection uses it, and opens the next one in its place.
//
// Over TLS what is appended to out() is the session's, until send() makes records of it, which the
// stream sends as it sends plain text: so all that one send() is called for is one run of records.
// What is received is decrypted as it comes, into the session's memory, and shown from there.
#pragma once

#include <coroutine>
#include <memory>
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
#include "src/io/tls.h"

namespace ringpost::pg {

// The other side of a session.
struct Peer {
  io::Address address;
  std::string host_name = {};  // as the connection string has it; may be empty
  bool encrypted = false;
};

class Session {
 public:
  // Both outlive the session.
  Session(io::Reactor& reactor, io::BufferGroup& buffers) : reactor_(reactor), buffers_(buffers) {}

  // Over a socket that is connected to `peer`, in plain text; it is taken over. REQUIRES: none is
  // open.
  void begin(int fd, const Peer& peer);
  // Shakes hands; from here on all goes by TLS. `server`: by what name the context keeps its
  // session, `sni` as io::Tls says. After a failure all there is to do is close(). REQUIRES:
  // nothing is unread.
  io::Task<io::Result<void>> secure(std::shared_ptr<io::TlsContext> context, std::string server,
                                    std::string sni, io::Until until);
  bool is_open() const { return stream_.has_value(); }
  int fd() const { return stream_->fd(); }
  // nullptr: plain text.
  const io::Tls* tls() const { return tls_ ? &*tls_ : nullptr; }

  // As io::Stream says; over TLS it may bring no bytes, when no record is whole yet. They live
  // until the next read, or close().
  class Read;
  Read read(io::Until until);
  void interrupt() { stream_->interrupt(); }
  proto::wire::Buffer& out() {
    if (tls_) [[unlikely]]
      return plain_out();
    return stream_->out();
  }
  void send() {
    if (tls_) [[unlikely]]
      encrypt();
    stream_->send();
  }
  // The same, of what is a secret: nothing of it is left in this side's memory.
  void send_secret();

  // Reads on: all that has been received and was not consumed from unread(). It lives until the
  // next call, or until unread() changes.
  io::Task<io::Result<std::string_view>> receive(io::Until until);
  // What was received and is not yet whole.
  proto::wire::Buffer& unread() { return unread_; }

  // Says that nothing more comes, where TLS has a word for it, and waits a moment until what was
  // sent is taken; not for what can't be sent any more.
  io::Task<void> taken();
  // The peer will see a reset when it is closed.
  void abort() { stream_->abort(); }
  // Drops what is unread and closes the socket. REQUIRES: it is open.
  io::Task<void> close();

  const std::optional<Peer>& peer() const { return peer_; }
  // For messages.
  const std::string& address() const { return address_; }

  // Of its start.
  std::string server_version;
  proto::pg::ServerState server_state;  // and since then
  proto::pg::BackendKeyData cancel_key;

 private:
  proto::wire::Buffer& plain_out();
  void encrypt();
  io::Result<std::string_view> decrypt(const io::Result<std::string_view>& received);
  void send_replies();

  io::Reactor& reactor_;
  io::BufferGroup& buffers_;
  std::optional<io::Stream> stream_;
  std::optional<io::Tls> tls_;
  // Of TLS: what is to be encrypted, what was decrypted last, and what the machine itself has to
  // say, before it is the stream's.
  proto::wire::Buffer plain_out_, plain_in_, replies_;
  std::optional<Peer> peer_;
  std::string address_;
  proto::wire::Buffer unread_;
};

class [[nodiscard]] Session::Read {
 public:
  Read(Session& session, io::Until until)
      : session_(session), reading_(session.stream_->read(until)) {}
  bool await_ready() {
    if (session_.tls_ && session_.tls_->over()) [[unlikely]]
      return true;
    return reading_.await_ready();
  }
  bool await_suspend(std::coroutine_handle<> awaiter) { return reading_.await_suspend(awaiter); }
  io::Result<std::string_view> await_resume() {
    if (!session_.tls_) [[likely]]
      return reading_.await_resume();
    if (session_.tls_->over()) return std::unexpected(session_.tls_->error());
    return session_.decrypt(reading_.await_resume());
  }

 private:
  Session& session_;
  io::Stream::Read reading_;
};

inline Session::Read Session::read(io::Until until) {
  return Read(*this, until);
}

}  // namespace ringpost::pg
