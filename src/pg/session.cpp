#include "src/pg/session.h"

#include <cassert>

namespace ringpost::pg {

namespace {
// The server's send buffer is larger than any one send of ours that waits; past this it is stuck.
constexpr std::chrono::seconds send_timeout{10};
constexpr std::chrono::milliseconds farewell{100};
}  // namespace

void Session::begin(int fd, const io::Address& peer) {
  assert(!is_open());
  peer_ = peer;
  address_ = peer.text();
  stream_.emplace(reactor_, buffers_, fd, send_timeout);
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
  auto draining = stream_->drained(0, {reactor_.now() + farewell});
  const io::Result<void> drained = co_await draining;
  (void)drained;  // a farewell: nothing depends on it
}

io::Task<void> Session::close() {
  co_await stream_->close();
  stream_.reset();
  unread_.release();
}

}  // namespace ringpost::pg
