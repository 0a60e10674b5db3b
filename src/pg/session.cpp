#include "src/pg/session.h"

#include <cassert>
#include <utility>

#include <openssl/crypto.h>

namespace ringpost::pg {

namespace {
// The server's send buffer is larger than any one send of ours that waits; past this it is stuck.
constexpr std::chrono::seconds send_timeout{10};
constexpr std::chrono::milliseconds farewell{100};
}  // namespace

void Session::begin(int fd, const Peer& peer) {
  assert(!is_open());
  peer_ = peer;
  address_ = peer.address.text();
  stream_.emplace(reactor_, buffers_, fd, send_timeout);
}

io::Task<io::Result<void>> Session::secure(std::shared_ptr<io::TlsContext> context,
                                           std::string server, std::string sni, io::Until until) {
  assert(!tls_ && unread_.empty());
  tls_.emplace(std::move(context), std::move(server), sni);
  tls_->begin(replies_);
  send_replies();
  while (tls_->state() == io::Tls::State::handshaking) {
    auto reading = stream_->read(until);
    const io::Result<std::string_view> bytes = co_await reading;
    if (!bytes && bytes.error().kind != io::Error::Kind::closed)
      co_return std::unexpected(bytes.error());
    if (bytes)
      tls_->take(*bytes, unread_, replies_);
    else
      tls_->cut_off();
    send_replies();
  }
  if (tls_->state() != io::Tls::State::open) co_return std::unexpected(tls_->error());
  peer_->encrypted = true;
  co_return io::Result<void>();
}

proto::wire::Buffer& Session::plain_out() {
  reactor_.spare_buffers().lend(plain_out_);
  return plain_out_;
}

void Session::encrypt() {
  tls_->encrypt(plain_out_.view(), stream_->out());
  reactor_.spare_buffers().take_back(plain_out_);
  // Nothing is sent any more, so nothing would be answered.
  if (tls_->over()) [[unlikely]]
    stream_->interrupt();
}

void Session::send_secret() {
  if (!tls_) return stream_->send();  // it is no secret on its way
  tls_->encrypt(plain_out_.view(), stream_->out());
  if (!plain_out_.empty()) OPENSSL_cleanse(plain_out_.data(), plain_out_.size());
  reactor_.spare_buffers().take_back(plain_out_);
  stream_->send();
}

void Session::send_replies() {
  if (replies_.empty()) return;
  stream_->out().append(replies_.view());
  replies_.release();
  stream_->send();
}

// What came before the end is told first; the end by the next read.
io::Result<std::string_view> Session::decrypt(const io::Result<std::string_view>& received) {
  plain_in_.clear();
  if (!received) {
    if (received.error().kind != io::Error::Kind::closed) return std::unexpected(received.error());
    tls_->cut_off();
    return std::unexpected(tls_->error());
  }
  tls_->take(*received, plain_in_, replies_);
  send_replies();
  if (plain_in_.empty() && tls_->over()) return std::unexpected(tls_->error());
  return plain_in_.view();
}

io::Task<io::Result<std::string_view>> Session::receive(io::Until until) {
  auto reading = read(until);
  const io::Result<std::string_view> bytes = co_await reading;
  if (!bytes) co_return std::unexpected(bytes.error());
  unread_.append(*bytes);
  co_return unread_.view();
}

io::Task<void> Session::taken() {
  if (stream_->failed()) co_return;
  if (tls_) {
    tls_->end(replies_);
    send_replies();
  }
  auto draining = stream_->drained(0, {reactor_.now() + farewell});
  const io::Result<void> drained = co_await draining;
  (void)drained;  // a farewell: nothing depends on it
}

io::Task<void> Session::close() {
  co_await stream_->close();
  stream_.reset();
  tls_.reset();
  plain_out_.release();
  plain_in_.release();
  replies_.release();
  unread_.release();
}

}  // namespace ringpost::pg
