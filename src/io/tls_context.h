// TlsContext: what the TLS connections of a client have in common: whom it trusts, what it shows of
// itself, which versions it speaks; and the session of each server, for the next handshake to
// resume.
//
// Files are read when it is made; who wants changed ones makes another. It is shared by the
// connections that were made with it, all on one thread. A private key lives in it, and is wiped by
// OpenSSL with it.
#pragma once

#include <expected>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <openssl/types.h>

using SSL_SESSION = struct ssl_session_st;  // as ssl.h has it

namespace ringpost::io {

class TlsContext {
 public:
  // Paths; an empty one is none. PEM.
  struct Options {
    // Whom to trust; where neither is set the peer's certificate is not looked at.
    std::string root_file = {};
    bool system_roots = false;
    // Lists of revoked certificates: with either, each certificate of a chain needs one.
    std::string crl_file = {}, crl_folder = {};
    // Ours, shown when the peer asks. The key may also be DER.
    std::string certificate_file = {}, key_file = {};
    std::string_view key_password = {};    // used while it is made, and not kept
    int min_version = 0, max_version = 0;  // TLS1_2_VERSION and its kin; 0: OpenSSL's
    std::string_view alpn = {};            // the one protocol that is offered
    // Where the secrets of each connection are appended, for who looks at its packets.
    std::string key_log_file = {};
  };

  // Or what is wrong with which file.
  static std::expected<std::shared_ptr<TlsContext>, std::string> make(const Options& options);
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  ~TlsContext();

  SSL_CTX* native() const { return context_; }
  bool verifies() const { return verifies_; }
  // Of who is offered; what it was offered is told by Tls.
  const std::string& alpn() const { return alpn_; }

  // The last session of `server`, by any name that means one to the caller; nullptr: none. It stays
  // the context's.
  SSL_SESSION* session(const std::string& server) const;
  // Takes it over.
  void keep(const std::string& server, SSL_SESSION* session);
  void log_key(const char* line) const;

 private:
  explicit TlsContext(SSL_CTX* context) : context_(context) {}
  using Loaded = std::expected<void, std::string>;
  Loaded set_versions(const Options& options);
  Loaded load_roots(const Options& options);
  Loaded load_own(const Options& options);
  Loaded open_key_log(const Options& options);

  SSL_CTX* context_;
  bool verifies_ = false;
  std::string alpn_, key_log_file_;
  std::map<std::string, SSL_SESSION*, std::less<>> sessions_;
};

}  // namespace ringpost::io
