// The server's side of TLS, by OpenSSL over memory: what io::Tls talks to in tests.
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tests/support/certificates.h"

namespace ringpost::tests {

class TlsServer {
 public:
  struct Options {
    int version = 0;                                // the only one; 0: OpenSSL's
    const Certificate* client_authority = nullptr;  // asks for a client's certificate by it
    bool client_certificate_needed = false;
    std::string_view alpn = {};  // the protocol that it takes
  };

  explicit TlsServer(const Certificate& own) : TlsServer(own, Options()) {}
  TlsServer(const Certificate& own, const Options& options)
      : context_(SSL_CTX_new(TLS_server_method())), alpn_(options.alpn) {
    if (SSL_CTX_use_certificate(context_, own.x509()) != 1 ||
        SSL_CTX_use_PrivateKey(context_, own.key()) != 1)
      std::abort();
    SSL_CTX_set_min_proto_version(context_, options.version);
    SSL_CTX_set_max_proto_version(context_, options.version);
    SSL_CTX_set_session_id_context(context_, reinterpret_cast<const unsigned char*>("test"), 4);
    if (options.client_authority != nullptr) {
      X509_STORE_add_cert(SSL_CTX_get_cert_store(context_), options.client_authority->x509());
      SSL_CTX_add_client_CA(context_, options.client_authority->x509());
      SSL_CTX_set_verify(
          context_,
          SSL_VERIFY_PEER |
              (options.client_certificate_needed ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
          nullptr);
    }
    if (!alpn_.empty()) SSL_CTX_set_alpn_select_cb(context_, select, this);
  }
  ~TlsServer() { SSL_CTX_free(context_); }
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;

  // One connection. What it returns is for the client.
  class Connection {
   public:
    explicit Connection(const TlsServer& server) : ssl_(SSL_new(server.context_)) {
      SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
      SSL_set_accept_state(ssl_);
    }
    ~Connection() { SSL_free(ssl_); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    std::string take(std::string_view bytes) {
      ERR_clear_error();
      BIO_write(SSL_get_rbio(ssl_), bytes.data(), static_cast<int>(bytes.size()));
      char plain[4096];
      size_t got = 0;
      while (SSL_read_ex(ssl_, plain, sizeof plain, &got) == 1) received.append(plain, got);
      const int error = SSL_get_error(ssl_, 0);
      ended = error == SSL_ERROR_ZERO_RETURN;
      if (error == SSL_ERROR_SSL) {
        const char* reason = ERR_reason_error_string(ERR_peek_error());
        failure = reason != nullptr ? reason : "unknown";
      }
      ERR_clear_error();
      return unsent();
    }
    std::string say(std::string_view plain) {
      size_t written = 0;
      if (SSL_write_ex(ssl_, plain.data(), plain.size(), &written) != 1) std::abort();
      return unsent();
    }
    // A new key of ours; the client is asked for one of its own, too.
    std::string update_keys() {
      SSL_key_update(ssl_, SSL_KEY_UPDATE_REQUESTED);
      SSL_do_handshake(ssl_);
      return unsent();
    }
    // TLS 1.2.
    std::string ask_for_another_handshake() {
      SSL_renegotiate(ssl_);
      SSL_do_handshake(ssl_);
      return unsent();
    }
    std::string end() {
      SSL_shutdown(ssl_);
      return unsent();
    }
    bool open() const { return SSL_is_init_finished(ssl_) == 1; }
    std::string sni() const {
      const char* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
      return name != nullptr ? name : "";
    }

    std::string received;  // plain
    std::string failure;   // OpenSSL's reason
    bool ended = false;    // close_notify has come

   private:
    std::string unsent() {
      char* data = nullptr;
      BIO* out = SSL_get_wbio(ssl_);
      const long size = BIO_get_mem_data(out, &data);
      std::string bytes(data, static_cast<size_t>(size));
      BIO_reset(out);
      return bytes;
    }

    SSL* ssl_;
  };

 private:
  static int select(SSL*, const unsigned char** chosen, unsigned char* size,
                    const unsigned char* offered, unsigned offered_size, void* self) {
    const std::string& wanted = static_cast<TlsServer*>(self)->alpn_;
    const std::string list = static_cast<char>(wanted.size()) + wanted;
    unsigned char* found = nullptr;
    const int result =
        SSL_select_next_proto(&found, size, reinterpret_cast<const unsigned char*>(list.data()),
                              static_cast<unsigned>(list.size()), offered, offered_size);
    *chosen = result == OPENSSL_NPN_NEGOTIATED ? offered + 1 : nullptr;  // the one that is offered
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
  }

  SSL_CTX* context_;
  std::string alpn_;
};

}  // namespace ringpost::tests
