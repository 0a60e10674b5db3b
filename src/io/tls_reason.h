// Why TLS failed, as a number that an Error carries, and in plain words.
//
//     > 0   an error of OpenSSL (its packed code)
//     < 0   the peer's certificate was refused: X509_V_ERR_..., negated
//     0     unknown
#pragma once

#include <string>

namespace ringpost::io {

std::string tls_reason(int code);

// That the peer's side ended without close_notify: what was read may have been cut off by anybody.
int tls_cut_off();

// Why the last call of OpenSSL failed, for messages; the thread's queue of errors is empty then.
std::string take_openssl_error();

}  // namespace ringpost::io
