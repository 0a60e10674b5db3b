#include "tests/support/scripted_postgres.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/wire/base64.h"
#include "proto/wire/bytes.h"
#include "src/io/address.h"
#include "src/io/awaited_operation.h"
#include "tests/support/pg_messages.h"
#include "tests/support/plain_crypto.h"

namespace ringpost::tests {

using io::Task;
using namespace std::string_literals;

std::string printable(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    const auto code = static_cast<unsigned char>(byte);
    if (code >= 0x20 && code < 0x7f && byte != '\\')
      text += byte;
    else
      text.append("\\x").append({digits[code >> 4], digits[code & 15]});
  }
  return text;
}

void PgSession::complain(const std::string& what) {
  if (!stopped()) ADD_FAILURE() << "session " << number_ << ": " << what;
}

void PgSession::close() {
  if (fd_ != -1) ::close(std::exchange(fd_, -1));
  ended_ = true;
}

Task<bool> PgSession::receive(io::Duration longest) {
  if (ended_) co_return false;
  char bytes[4096];
  auto receiving = io::AwaitedOperation(
      reactor_, {reactor_.now() + longest, &cancellation_}, "receive",
      [&](io_uring_sqe* entry) { io_uring_prep_recv(entry, fd_, bytes, sizeof bytes, 0); });
  const io::Result<int> received = co_await receiving;
  if (!received && received.error().kind == io::Error::Kind::timed_out) co_return false;
  if (!received || *received == 0) {
    ended_ = true;
    co_return false;
  }
  const std::string_view came(bytes, static_cast<size_t>(*received));
  if (!tls_) {
    received_.append(came);
    co_return true;
  }
  std::string answer = tls_->take(came);
  if (!answer.empty()) {
    const bool sent = co_await send_bytes(answer, answer.size(), true);
    if (!sent) ended_ = true;
  }
  received_.append(std::exchange(tls_->received, {}));
  ended_ |= tls_->ended || !tls_->failure.empty();
  co_return !ended_ || !received_.empty();
}

Task<bool> PgSession::secure(const TlsServer& server) {
  tls_ = std::make_unique<TlsServer::Connection>(server);
  if (!received_.empty()) complain("came before TLS \"" + printable(received_) + "\"");
  while (!tls_->open() && !ended_) {
    const bool more = co_await receive(patience);
    if (!more) break;
  }
  co_return tls_->open() && !ended_;
}

Task<bool> PgSession::expect(std::string bytes) {
  while (received_.size() < bytes.size() && bytes.starts_with(received_)) {
    const bool more = co_await receive(patience);
    if (more) continue;
    complain((ended_ ? "ended instead of \"" : "nothing came instead of \"") + printable(bytes) +
             "\"; before it came \"" + printable(received_) + "\"");
    co_return false;
  }
  if (!received_.starts_with(bytes)) {
    complain("expected \"" + printable(bytes) + "\"\n     came \"" + printable(received_) + "\"");
    co_return false;
  }
  received_.erase(0, bytes.size());
  co_return true;
}

Task<std::string> PgSession::message(bool typed) {
  const size_t before_length = typed ? 1 : 0;
  for (;;) {
    if (received_.size() >= before_length + 4) {
      const size_t size =
          before_length + proto::wire::load_big_endian<uint32_t>(received_.data() + before_length);
      if (received_.size() >= size) {
        std::string whole = received_.substr(0, size);
        received_.erase(0, size);
        co_return whole;
      }
    }
    const bool more = co_await receive(patience);
    if (!more) {
      complain("ended inside of a message");
      co_return std::string();
    }
  }
}

Task<bool> PgSession::expect_end() {
  const bool more = !received_.empty() || co_await receive(patience);
  if (more) complain("expected the end, came \"" + printable(received_) + "\"");
  if (!more && !ended_) complain("the peer does not close");
  co_return !more && ended_;
}

Task<bool> PgSession::send(std::string bytes, size_t piece, bool early) {
  std::string records = tls_ ? tls_->say(bytes) : std::move(bytes);
  co_return co_await send_bytes(std::move(records), piece, early);
}

Task<bool> PgSession::send_bytes(std::string bytes, size_t piece, bool early) {
  for (size_t at = 0; at < bytes.size();) {
    const size_t size = std::min(piece, bytes.size() - at);
    auto sending = io::AwaitedOperation(reactor_, until(), "send", [&](io_uring_sqe* entry) {
      io_uring_prep_send(entry, fd_, bytes.data() + at, size, MSG_WAITALL | MSG_NOSIGNAL);
    });
    const io::Result<int> sent = co_await sending;
    if (!sent) {
      if (!early) complain("its answer can't be sent: " + sent.error().message());
      co_return false;
    }
    at += static_cast<size_t>(*sent);
  }
  co_return true;
}

Task<bool> PgSession::pause(Gate& gate) {
  auto passing = gate.passed(until());
  const bool open = co_await passing;
  if (!open) complain("a gate stays closed");
  co_return open;
}

Task<bool> PgSession::reset() {
  auto waiting = io::AwaitedOperation(reactor_, until(), "poll", [&](io_uring_sqe* entry) {
    io_uring_prep_poll_add(entry, fd_, POLLIN);
  });
  const io::Result<int> readable = co_await waiting;
  if (!readable) complain("nothing comes that a reset could lose");
  close();
  co_return false;
}

Task<void> PgSession::linger() {
  constexpr std::string_view terminate("X\0\0\0\4", 5);
  while (!ended_ && !stopped()) {
    if (!terminate.starts_with(received_)) break;
    co_await receive(std::chrono::seconds(60));
  }
  if (!terminate.starts_with(received_))
    complain("its script is over, and there comes \"" + printable(received_) + "\"");
}

Task<void> PgSession::ignore() {
  while (!ended_ && !stopped()) co_await receive(std::chrono::seconds(60));
  close();
}

Script operator+(Script first, const Script& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

Step expect(std::string bytes) {
  return [bytes = std::move(bytes)](PgSession& session) { return session.expect(bytes); };
}
Step expect_end() {
  return [](PgSession& session) { return session.expect_end(); };
}
Step send(std::string bytes) {
  return
      [bytes = std::move(bytes)](PgSession& session) { return session.send(bytes, bytes.size()); };
}
Step secure(const TlsServer& server) {
  return [&server](PgSession& session) -> Task<bool> {
    const bool secured = co_await session.secure(server);
    if (!secured) session.complain("there is no TLS: " + session.tls()->failure);
    co_return secured;
  };
}
Step secure_in_vain(const TlsServer& server) {
  return [&server](PgSession& session) -> Task<bool> {
    const bool secured = co_await session.secure(server);
    if (!secured) co_return false;
    co_return co_await session.expect_end();
  };
}
Step send_in_pieces(std::string bytes, size_t piece) {
  return
      [bytes = std::move(bytes), piece](PgSession& session) { return session.send(bytes, piece); };
}
Step send_while_open(std::string bytes, size_t piece) {
  return [bytes = std::move(bytes), piece](PgSession& session) {
    return session.send(bytes, piece, true);
  };
}
Step pause(Gate& gate) {
  return [&gate](PgSession& session) { return session.pause(gate); };
}
Step open(Gate& gate) {
  return [&gate](PgSession&) -> Task<bool> {
    gate.open();
    co_return true;
  };
}
Step close_session() {
  return [](PgSession& session) -> Task<bool> {
    session.close();
    co_return false;
  };
}
Step reset_session() {
  return [](PgSession& session) { return session.reset(); };
}
Step never_answer() {
  return [](PgSession& session) -> Task<bool> {
    co_await session.ignore();
    co_return false;
  };
}

namespace {

std::string authentication(int code, std::string_view data) {
  return message('R', int32(code) + std::string(data));
}

Task<bool> play_scram(PgSession& session, std::string password, bool wrong_signature) {
  bool going = co_await session.send(authentication(10, cstring("SCRAM-SHA-256") + '\0'), 4096);
  const std::string initial = co_await session.message(true);
  const size_t nonce_at = initial.find("n=,r=");
  if (!going || nonce_at == std::string::npos) co_return false;
  const std::string client_first = initial.substr(nonce_at);
  const std::string nonce = client_first.substr(5) + "continued", salt = "salt of the test";
  const std::string server_first = "r=" + nonce + ",s=" + proto::wire::encode_base64(salt) + ",i=2";
  going = co_await session.send(authentication(11, server_first), 4096);
  const std::string response = co_await session.message(true);
  const size_t proof_at = response.find(",p=");
  if (!going || proof_at == std::string::npos) co_return false;

  const Digest salted = plain_pbkdf2_sha256(password, salt, 2);
  const std::string signed_text =
      client_first + "," + server_first + "," + response.substr(5, proof_at - 5);
  const Digest client_key = plain_hmac_sha256(view_of(salted), "Client Key");
  const Digest signature =
      plain_hmac_sha256(view_of(plain_sha256(view_of(client_key))), signed_text);
  std::string proof;
  for (size_t i = 0; i < signature.size(); ++i)
    proof += static_cast<char>(client_key[i] ^ signature[i]);
  if (response.substr(proof_at + 3) != proto::wire::encode_base64(proof)) {
    // As PostgreSQL says it, then ends the session.
    co_await session.send(
        message('E',
                "SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user \"alice\"\0\0"s),
        4096);
    session.close();
    co_return false;
  }
  Digest own =
      plain_hmac_sha256(view_of(plain_hmac_sha256(view_of(salted), "Server Key")), signed_text);
  if (wrong_signature) own[0] ^= 1;
  co_return co_await session.send(
      authentication(12, "v=" + proto::wire::encode_base64(view_of(own))), 4096);
}

}  // namespace

Step scram(std::string password, bool wrong_signature) {
  return [password = std::move(password), wrong_signature](PgSession& session) {
    return play_scram(session, password, wrong_signature);
  };
}

ScriptedPostgres::ScriptedPostgres(io::Reactor& reactor, Name name)
    : reactor_(reactor), scope_(reactor), name_(name) {
  if (name == Name::tcp) {
    listening_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const io::Address any = *io::Address::numeric("127.0.0.1", 0);
    if (bind(listening_, any.data(), any.length) != 0) std::abort();
    sockaddr_in bound{};
    socklen_t size = sizeof bound;
    getsockname(listening_, reinterpret_cast<sockaddr*>(&bound), &size);
    port_ = ntohs(bound.sin_port);
    return;
  }
  char folder[] = "/tmp/scripted_postgres.XXXXXX";
  if (mkdtemp(folder) == nullptr) std::abort();
  folder_ = folder;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = host().socket_path();
  if (path.size() >= sizeof address.sun_path) std::abort();
  std::copy(path.begin(), path.end(), address.sun_path);
  // unix(7): an abstract name begins with a zero byte, and ends where the address does.
  if (name == Name::abstract) address.sun_path[0] = '\0';
  const size_t length =
      offsetof(sockaddr_un, sun_path) + path.size() + (name == Name::file ? 1 : 0);
  listening_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (bind(listening_, reinterpret_cast<const sockaddr*>(&address),
           static_cast<socklen_t>(length)) != 0)
    std::abort();
}

ScriptedPostgres::~ScriptedPostgres() {
  if (listening_ != -1) ::close(listening_);
  if (name_ == Name::tcp) return;
  unlink(host().socket_path().c_str());
  rmdir(folder_.c_str());
}

proto::pg::Host ScriptedPostgres::host() const {
  proto::pg::Host host;
  if (name_ == Name::tcp) {
    host.name = "db.example";
    host.address = "127.0.0.1";
    host.port = port_;
    return host;
  }
  host.name = (name_ == Name::abstract ? "@" : "") + folder_;
  return host;
}

void ScriptedPostgres::listen() {
  if (::listen(listening_, 64) != 0) std::abort();
  acceptor_.emplace(reactor_, std::exchange(listening_, -1));
  scope_.spawn(accept());
}

Task<void> ScriptedPostgres::accept() {
  for (;;) {
    auto accepting = acceptor_->next(64, scope_.until());
    const io::Result<int> fd = co_await accepting;
    if (!fd) break;
    scope_.spawn(serve(*fd, ++sessions_));
  }
}

Task<void> ScriptedPostgres::serve(int fd, size_t number) {
  PgSession session(reactor_, fd, number, scope_.cancellation());
  if (scripts_.empty()) {
    session.complain("came, and there is no script for it");
    co_return;
  }
  const Script script = std::move(scripts_.front());
  scripts_.pop_front();
  for (const Step& step : script) {
    const bool going = co_await step(session);
    if (!going) co_return;
  }
  co_await session.linger();
}

Task<void> ScriptedPostgres::stop() {
  EXPECT_TRUE(scripts_.empty()) << scripts_.size() << " scripts were not played";
  scope_.cancel();
  co_await scope_.join();
  if (acceptor_) {
    std::deque<int> late;
    co_await acceptor_->close(late);
    for (const int fd : late) ::close(fd);
    acceptor_.reset();
  }
}

}  // namespace ringpost::tests
