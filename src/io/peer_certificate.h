// What a peer's certificate says of the peer: whose it is, and its hash for channel binding.
// Nothing is kept of the certificate.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include <openssl/types.h>

namespace ringpost::io {

// Whether it was given to `host`, a name or an IP address; the error says whose it is instead. By
// libpq's rules (PostgreSQL 18 documentation, 32.19.1): its alternative names of DNS count, and for
// an address those of IP too; its common name counts where it has no alternative name of the host's
// kind, and no other alternative name fits.
std::expected<void, std::string> check_host(const X509* certificate, const std::string& host);

// One name of a certificate: letters of any case are the same, and "*." at its front is any one
// label.
bool name_fits(std::string_view name, std::string_view host);

// tls-server-end-point (RFC 5929, 4.1): the hash of the certificate by the algorithm of its
// signature, SHA-256 in place of MD5 and SHA-1. Empty where that algorithm has none, as Ed25519.
std::string end_point_of(const X509* certificate);

}  // namespace ringpost::io
