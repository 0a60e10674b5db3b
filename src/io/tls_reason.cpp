#include "src/io/tls_reason.h"

#include <system_error>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace ringpost::io {

namespace {

// What OpenSSL's own words leave to guess.
const char* plain_words(int reason) {
  switch (reason) {
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return "the connection was cut off: it ended without close_notify";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
      return "the peer does not speak TLS";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
      return "there is no version of TLS that both sides allow";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return "the peer wants a certificate of ours, and got none";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return "the peer does not trust who signed our certificate";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      return "the peer refuses our certificate: it has expired";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
      return "the peer refuses our certificate: it was revoked";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
      return "the peer refuses our certificate";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
      return "the peer refuses the handshake: no cipher that both allow, or it wants a certificate "
             "of ours";
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
      return "a record was changed on its way";
    default:
      return nullptr;
  }
}

}  // namespace

std::string tls_reason(int code) {
  if (code < 0)
    return std::string("the peer's certificate is not trusted: ") +
           X509_verify_cert_error_string(-code);
  const auto packed = static_cast<unsigned long>(code);
  if (const char* words =
          ERR_GET_LIB(packed) == ERR_LIB_SSL ? plain_words(ERR_GET_REASON(packed)) : nullptr)
    return words;
  const char* reason = code != 0 ? ERR_reason_error_string(packed) : nullptr;
  return reason != nullptr ? reason : "an unknown reason (" + std::to_string(code) + ")";
}

int tls_cut_off() {
  return static_cast<int>(ERR_PACK(ERR_LIB_SSL, 0, SSL_R_UNEXPECTED_EOF_WHILE_READING));
}

std::string take_openssl_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (ERR_SYSTEM_ERROR(code)) return std::generic_category().message(ERR_GET_REASON(code));
  const char* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
  return reason != nullptr ? reason : "an unknown reason";
}

}  // namespace ringpost::io
