#include "src/io/peer_certificate.h"

#include <memory>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <strings.h>

namespace ringpost::io {

namespace {

constexpr size_t ipv4_bytes = 4, ipv6_bytes = 16;

bool same_letters(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view bytes_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<size_t>(ASN1_STRING_length(text))};
}

// In network byte order; empty: it is a name.
std::string address_bytes(const std::string& host) {
  char bytes[ipv6_bytes];
  if (inet_pton(AF_INET, host.c_str(), bytes) == 1) return {bytes, ipv4_bytes};
  if (inet_pton(AF_INET6, host.c_str(), bytes) == 1) return {bytes, ipv6_bytes};
  return {};
}

std::string address_text(std::string_view bytes) {
  char text[INET6_ADDRSTRLEN];
  const int family = bytes.size() == ipv4_bytes ? AF_INET : AF_INET6;
  const bool known = bytes.size() == ipv4_bytes || bytes.size() == ipv6_bytes;
  return known && inet_ntop(family, bytes.data(), text, sizeof text) != nullptr ? text : "?";
}

// Looks at names one by one, and remembers them for the error.
class Search {
 public:
  explicit Search(const std::string& host) : host_(host), address_(address_bytes(host)) {}

  void look_at_alternatives(const X509* certificate) {
    const auto release = [](GENERAL_NAMES* names) { GENERAL_NAMES_free(names); };
    const std::unique_ptr<GENERAL_NAMES, decltype(release)> names(
        static_cast<GENERAL_NAMES*>(
            X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
        release);
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
      const GENERAL_NAME* one = sk_GENERAL_NAME_value(names.get(), i);
      if (one->type == GEN_DNS) {
        has_own_kind_ |= address_.empty();
        look_at_name(bytes_of(one->d.dNSName));
      } else if (one->type == GEN_IPADD) {
        has_own_kind_ |= !address_.empty();
        const std::string_view bytes = bytes_of(one->d.iPAddress);
        add(address_text(bytes), !address_.empty() && bytes == address_);
      }
    }
  }

  void look_at_common_name(const X509* certificate) {
    if (has_own_kind_ || found_) return;
    const X509_NAME* subject = X509_get_subject_name(certificate);
    const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0) return;
    look_at_name(bytes_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
  }

  std::expected<void, std::string> outcome() const {
    if (found_) return {};
    if (names_.empty()) return std::unexpected("the server's certificate names no host");
    return std::unexpected("the server's certificate is that of " + names_ + ", and not of " +
                           host_);
  }

 private:
  // A name with a zero byte in it would be another name for who reads up to there
  // (CVE-2009-4034).
  void look_at_name(std::string_view name) {
    const bool malformed = name.contains('\0');
    // An address has no labels.
    const bool fits = address_.empty() ? name_fits(name, host_) : same_letters(name, host_);
    add(malformed ? "a name with a zero byte" : std::string(name), !malformed && fits);
  }
  void add(const std::string& name, bool fits) {
    found_ |= fits;
    if (names_.size() > most_shown) return;
    names_.append(names_.empty() ? "" : ", ");
    for (const char c : name) names_ += (c >= 0 && c < 0x20) || c == 0x7f ? '?' : c;
  }

  static constexpr size_t most_shown = 200;
  const std::string& host_;
  std::string address_, names_;
  bool has_own_kind_ = false, found_ = false;
};

}  // namespace

bool name_fits(std::string_view name, std::string_view host) {
  if (same_letters(name, host)) return true;
  if (!name.starts_with("*.") || name.size() < 3) return false;
  const size_t dot = host.find('.');
  return dot != std::string_view::npos && dot != 0 &&
         same_letters(name.substr(1), host.substr(dot));
}

std::expected<void, std::string> check_host(const X509* certificate, const std::string& host) {
  Search search(host);
  search.look_at_alternatives(certificate);
  search.look_at_common_name(certificate);
  ERR_clear_error();
  return search.outcome();
}

std::string end_point_of(const X509* certificate) {
  int hash = NID_undef;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  // What it signs by may be of RSA-PSS, whose hash stands in its parameters: this knows them.
  if (X509_get_signature_info(const_cast<X509*>(certificate), &hash, nullptr, nullptr, nullptr) !=
      1)
    hash = NID_undef;
  if (hash == NID_md5 || hash == NID_sha1) hash = NID_sha256;
  const EVP_MD* algorithm = hash != NID_undef ? EVP_get_digestbynid(hash) : nullptr;
  if (algorithm != nullptr && X509_digest(certificate, algorithm, digest, &size) != 1) size = 0;
  ERR_clear_error();
  return {reinterpret_cast<const char*>(digest), size};
}

}  // namespace ringpost::io
