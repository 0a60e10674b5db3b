// Tls: the client's side of one TLS connection (TLS 1.2 and 1.3, by OpenSSL), as a machine without
// I/O: received bytes go in, plain ones and bytes to be sent come out.
//
//     state         what happens                              next
//     handshaking   take() brings the peer's last message     open
//                   the peer is refused, or refuses           failed
//     open          take() finds close_notify                 ended
//                   a record is malformed, or an alert        failed
//                   cut_off()                                 failed
//     ended, failed nothing is taken, nothing encrypted       the same
//
// What take() and encrypt() are given is used up when they return; what they append, an alert
// before a failure too, is the caller's to send. Between calls it holds what it has of a record
// that is not whole, and no plain text. OpenSSL calls back with the object's address: it stays
// where it is.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <openssl/types.h>

#include "proto/wire/buffer.h"
#include "src/io/error.h"
#include "src/io/tls_context.h"

using BIO_METHOD = struct bio_method_st;  // as bio.h has it

namespace ringpost::io {

class Tls {
 public:
  enum class State : uint8_t {
    handshaking,
    open,
    ended,   // the peer has said that nothing more comes
    failed,  // error() says why
  };

  // `server`: by what name its session is kept in the context. `host_name`: of which of its hosts
  // the peer is to show the certificate (SNI); empty: that is not said. Throws std::bad_alloc.
  Tls(std::shared_ptr<TlsContext> context, std::string server, const std::string& host_name);
  ~Tls();
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;

  State state() const { return state_; }
  // Nothing more comes.
  bool over() const { return state_ >= State::ended; }

  // The first message of the handshake; once.
  State begin(proto::wire::Buffer& wire);
  // What has been received, all of it: appends what is plain, and what is to be sent for it.
  State take(std::string_view received, proto::wire::Buffer& plain, proto::wire::Buffer& wire);
  // The peer's side has ended.
  void cut_off();
  // Appends records. REQUIRES: the handshake is over. When nothing more comes, nothing is sent.
  void encrypt(std::string_view plain, proto::wire::Buffer& wire);
  // Appends close_notify, where that is still of use. Nothing is encrypted behind it.
  void end(proto::wire::Buffer& wire);

  // Why it is over: closed, or tls.
  Error error() const;

  // Once open. The peer's certificate lives as long as the object.
  X509* peer_certificate() const;
  bool resumed() const;
  const char* version() const;    // "TLSv1.3"
  std::string_view alpn() const;  // the protocol that the peer has chosen; may be empty
  // Whether the peer has asked for our certificate, and was shown one.
  bool certificate_asked() const { return certificate_asked_; }
  bool certificate_sent() const { return certificate_sent_; }

 private:
  friend class TlsContext;
  // What OpenSSL calls.
  static int new_session(SSL* ssl, SSL_SESSION* session);
  static int certificate_asked_for(SSL* ssl, void*);
  static void log_key(const SSL* ssl, const char* line);
  static int read(BIO* bio, char* to, int size);
  static int write(BIO* bio, const char* from, int size);
  static long control(BIO* bio, int command, long, void*);
  static const BIO_METHOD* method();
  static Tls& of(const SSL* ssl);

  void shake_hands();
  void decrypt(proto::wire::Buffer& plain);
  void note(int result);
  void fail();

  std::shared_ptr<TlsContext> context_;
  std::string server_;
  SSL* ssl_;
  // Of the call that runs.
  std::string_view input_;
  proto::wire::Buffer* output_ = nullptr;
  State state_ = State::handshaking;
  bool shaken_ = false, said_end_ = false;
  bool certificate_asked_ = false, certificate_sent_ = false;
  int reason_ = 0;
};

}  // namespace ringpost::io
