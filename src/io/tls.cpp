#include "src/io/tls.h"

#include <algorithm>
#include <cassert>
#include <new>
#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "src/io/tls_reason.h"

namespace ringpost::io {

using proto::wire::Buffer;

namespace {
// The plain text of a record (RFC 8446, 5.1).
constexpr size_t record_bytes = 16 * 1024;
}  // namespace

Tls::Tls(std::shared_ptr<TlsContext> context, std::string server, const std::string& host_name)
    : context_(std::move(context)), server_(std::move(server)), ssl_(SSL_new(context_->native())) {
  BIO* bio = ssl_ != nullptr ? BIO_new(method()) : nullptr;
  if (bio == nullptr) {
    SSL_free(ssl_);
    ERR_clear_error();
    throw std::bad_alloc();
  }
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);  // takes it over
  SSL_set_app_data(ssl_, this);
  SSL_set_connect_state(ssl_);
  if (!host_name.empty()) SSL_set_tlsext_host_name(ssl_, host_name.c_str());
  if (SSL_SESSION* session = context_->session(server_)) SSL_set_session(ssl_, session);
  ERR_clear_error();
}

Tls::~Tls() {
  // A session whose connection did not end well is not resumed by OpenSSL's rules; that is for
  // servers that would be told of attempts to cut connections off, and a client has no use for it.
  SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(ssl_);
}

Tls::State Tls::begin(Buffer& wire) {
  output_ = &wire;
  shake_hands();
  output_ = nullptr;
  return state_;
}

Tls::State Tls::take(std::string_view received, Buffer& plain, Buffer& wire) {
  if (over()) return state_;
  input_ = received;
  output_ = &wire;
  if (state_ == State::handshaking) shake_hands();
  if (state_ == State::open) decrypt(plain);
  assert((input_.empty() || over()) && "OpenSSL reads on until there is nothing more");
  input_ = {};
  output_ = nullptr;
  return state_;
}

void Tls::shake_hands() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  if (result != 1) return note(result);
  state_ = State::open;
  shaken_ = true;
}

void Tls::decrypt(Buffer& plain) {
  do {
    char* const to = plain.prepare(record_bytes);
    size_t got = 0;
    ERR_clear_error();
    const int result = SSL_read_ex(ssl_, to, plain.room(), &got);
    if (result != 1) return note(result);
    plain.commit(got);
  } while (!input_.empty() || SSL_has_pending(ssl_) == 1);
}

void Tls::encrypt(std::string_view plain, Buffer& wire) {
  assert(state_ != State::handshaking);
  if (plain.empty() || over() || said_end_) return;
  output_ = &wire;
  ERR_clear_error();
  size_t written = 0;
  if (SSL_write_ex(ssl_, plain.data(), plain.size(), &written) != 1) fail();
  output_ = nullptr;
}

void Tls::end(Buffer& wire) {
  if (!shaken_ || state_ == State::failed || std::exchange(said_end_, true)) return;
  output_ = &wire;
  SSL_shutdown(ssl_);  // 0: the peer's own is not waited for
  ERR_clear_error();
  output_ = nullptr;
}

void Tls::cut_off() {
  if (over()) return;
  state_ = State::failed;
  reason_ = tls_cut_off();
}

void Tls::note(int result) {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      return;
    case SSL_ERROR_ZERO_RETURN:
      state_ = State::ended;
      return;
    default:
      fail();
  }
}

// The last error of the queue is what TLS makes of those before it. One of the system's is none of
// TLS.
void Tls::fail() {
  state_ = State::failed;
  const unsigned long code = ERR_peek_last_error();
  reason_ = ERR_SYSTEM_ERROR(code) ? 0 : static_cast<int>(code);
  if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED)
    reason_ = -static_cast<int>(SSL_get_verify_result(ssl_));
  ERR_clear_error();
}

Error Tls::error() const {
  if (state_ == State::ended) return {Error::Kind::closed, 0, "receive"};
  return {Error::Kind::tls, reason_, shaken_ ? "TLS" : "TLS handshake"};
}

X509* Tls::peer_certificate() const {
  return SSL_get0_peer_certificate(ssl_);
}
bool Tls::resumed() const {
  return SSL_session_reused(ssl_) == 1;
}
const char* Tls::version() const {
  return SSL_get_version(ssl_);
}
std::string_view Tls::alpn() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

Tls& Tls::of(const SSL* ssl) {
  return *static_cast<Tls*>(SSL_get_app_data(ssl));
}

// 1: it is ours from here on.
int Tls::new_session(SSL* ssl, SSL_SESSION* session) {
  const Tls& tls = of(ssl);
  tls.context_->keep(tls.server_, session);
  return 1;
}

int Tls::certificate_asked_for(SSL* ssl, void*) {
  Tls& tls = of(ssl);
  tls.certificate_asked_ = true;
  tls.certificate_sent_ = SSL_get_certificate(ssl) != nullptr;
  return 1;
}

void Tls::log_key(const SSL* ssl, const char* line) {
  of(ssl).context_->log_key(line);
}

const BIO_METHOD* Tls::method() {
  static const BIO_METHOD* const only = [] {
    BIO_METHOD* made =
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "views and buffers");
    if (made == nullptr) throw std::bad_alloc();
    BIO_meth_set_read(made, read);
    BIO_meth_set_write(made, write);
    BIO_meth_set_ctrl(made, control);
    return made;
  }();
  return only;
}

int Tls::read(BIO* bio, char* to, int size) {
  std::string_view& input = static_cast<Tls*>(BIO_get_data(bio))->input_;
  BIO_clear_retry_flags(bio);
  if (input.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const size_t taken = input.copy(to, static_cast<size_t>(size));
  input.remove_prefix(taken);
  return static_cast<int>(taken);
}

int Tls::write(BIO* bio, const char* from, int size) {
  BIO_clear_retry_flags(bio);
  try {
    static_cast<Tls*>(BIO_get_data(bio))
        ->output_->append(std::string_view(from, static_cast<size_t>(size)));
    return size;
  } catch (const std::bad_alloc&) {  // it may not pass through C
    return -1;
  }
}

long Tls::control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

}  // namespace ringpost::io
