#include "src/io/tls_context.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <unistd.h>

#include "src/io/tls.h"
#include "src/io/tls_reason.h"

namespace ringpost::io {

namespace {

using Failure = std::unexpected<std::string>;

Failure unreadable(const char* what, const std::string& path) {
  return Failure(std::string(what) + " '" + path + "' can't be used: " + take_openssl_error());
}

// Without this OpenSSL would ask at the terminal.
int give_password(char* to, int size, int, void* password) {
  const auto* text = static_cast<const std::string_view*>(password);
  if (text == nullptr || text->size() > static_cast<size_t>(size)) return -1;
  return static_cast<int>(text->copy(to, text->size()));
}

int open_for_keys(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

}  // namespace

std::expected<std::shared_ptr<TlsContext>, std::string> TlsContext::make(const Options& options) {
  ERR_clear_error();
  SSL_CTX* native = SSL_CTX_new(TLS_client_method());
  if (native == nullptr) return Failure("OpenSSL can't be used: " + take_openssl_error());
  std::shared_ptr<TlsContext> made(new TlsContext(native));
  SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_SSLv3);
  // As much as has come is taken at once, and not first the head of a record, then the rest.
  SSL_CTX_set_read_ahead(native, 1);
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
  SSL_CTX_sess_set_new_cb(native, Tls::new_session);
  SSL_CTX_set_cert_cb(native, Tls::certificate_asked_for, nullptr);
  if (!options.alpn.empty()) {
    made->alpn_ = options.alpn;
    const std::string list = static_cast<char>(options.alpn.size()) + made->alpn_;
    SSL_CTX_set_alpn_protos(native, reinterpret_cast<const unsigned char*>(list.data()),
                            static_cast<unsigned>(list.size()));
  }
  for (const auto step : {&TlsContext::set_versions, &TlsContext::load_roots, &TlsContext::load_own,
                          &TlsContext::open_key_log})
    if (Loaded loaded = ((*made).*step)(options); !loaded) return Failure(loaded.error());
  ERR_clear_error();
  return made;
}

TlsContext::~TlsContext() {
  for (const auto& [server, session] : sessions_) SSL_SESSION_free(session);
  SSL_CTX_free(context_);
}

TlsContext::Loaded TlsContext::set_versions(const Options& options) {
  if (SSL_CTX_set_min_proto_version(context_, options.min_version) != 1)
    return Failure("OpenSSL does not have the least version of TLS that is allowed");
  if (SSL_CTX_set_max_proto_version(context_, options.max_version) != 1)
    return Failure("OpenSSL does not have the highest version of TLS that is allowed");
  return {};
}

TlsContext::Loaded TlsContext::load_roots(const Options& options) {
  if (options.system_roots) {
    if (SSL_CTX_set_default_verify_paths(context_) != 1)
      return Failure("the system's root certificates can't be used: " + take_openssl_error());
  } else if (!options.root_file.empty()) {
    if (SSL_CTX_load_verify_file(context_, options.root_file.c_str()) != 1)
      return unreadable("root certificate file", options.root_file);
  } else {
    return {};
  }
  verifies_ = true;
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
  X509_STORE* store = SSL_CTX_get_cert_store(context_);
  if (!options.crl_file.empty() && X509_STORE_load_file(store, options.crl_file.c_str()) != 1)
    return unreadable("certificate revocation list", options.crl_file);
  if (!options.crl_folder.empty() && X509_STORE_load_path(store, options.crl_folder.c_str()) != 1)
    return unreadable("folder of certificate revocation lists", options.crl_folder);
  if (!options.crl_file.empty() || !options.crl_folder.empty())
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  return {};
}

TlsContext::Loaded TlsContext::load_own(const Options& options) {
  SSL_CTX_set_default_passwd_cb(context_, give_password);
  if (options.certificate_file.empty()) return {};
  if (SSL_CTX_use_certificate_chain_file(context_, options.certificate_file.c_str()) != 1)
    return unreadable("certificate file", options.certificate_file);
  std::string_view password = options.key_password;
  SSL_CTX_set_default_passwd_cb_userdata(context_, &password);
  const char* const key = options.key_file.c_str();
  Loaded loaded;
  if (SSL_CTX_use_PrivateKey_file(context_, key, SSL_FILETYPE_PEM) != 1) {
    // What PEM has to say of it is what is told.
    const bool read = !ERR_SYSTEM_ERROR(ERR_peek_error());
    const bool mismatched = ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_X509;
    loaded = unreadable("private key file", options.key_file);
    if (mismatched)
      loaded = Failure("private key file '" + options.key_file + "' is not the key of '" +
                       options.certificate_file + "'");
    else if (read && password.empty())
      loaded.error() += " (is it encrypted? then it needs its password)";
    if (SSL_CTX_use_PrivateKey_file(context_, key, SSL_FILETYPE_ASN1) == 1) loaded = {};
    ERR_clear_error();
  }
  SSL_CTX_set_default_passwd_cb_userdata(context_, nullptr);
  return loaded;
}

TlsContext::Loaded TlsContext::open_key_log(const Options& options) {
  if (options.key_log_file.empty()) return {};
  const int fd = open_for_keys(options.key_log_file);
  if (fd == -1)
    return Failure("the file for keys '" + options.key_log_file +
                   "' can't be written: " + std::generic_category().message(errno));
  ::close(fd);
  key_log_file_ = options.key_log_file;
  SSL_CTX_set_keylog_callback(context_, Tls::log_key);
  return {};
}

SSL_SESSION* TlsContext::session(const std::string& server) const {
  const auto found = sessions_.find(server);
  return found == sessions_.end() || SSL_SESSION_is_resumable(found->second) == 0 ? nullptr
                                                                                  : found->second;
}

void TlsContext::keep(const std::string& server, SSL_SESSION* session) {
  SSL_SESSION*& place = sessions_[server];
  if (place != nullptr) SSL_SESSION_free(place);
  place = session;
}

// It is for a developer's eyes, a line a handshake: that it is not written at once is nobody's
// harm.
void TlsContext::log_key(const char* line) const {
  const int fd = open_for_keys(key_log_file_);
  if (fd == -1) return;
  const std::string text = std::string(line) + "\n";
  [[maybe_unused]] const ssize_t written = ::write(fd, text.data(), text.size());
  ::close(fd);
}

}  // namespace ringpost::io
