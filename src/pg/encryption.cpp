#include "src/pg/encryption.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <openssl/ssl.h>

#include "src/io/peer_certificate.h"

namespace ringpost::pg {

using proto::pg::Conninfo, proto::pg::Host;
using Ssl = Conninfo::Ssl;
using SslMode = Conninfo::SslMode;

namespace {

using Failure = std::unexpected<std::string>;

constexpr std::string_view protocol = "postgresql";  // for ALPN

int openssl_version(Ssl::Version version) {
  constexpr int versions[] = {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};
  return versions[static_cast<size_t>(version)];
}

bool is_there(const std::string& path) {
  struct stat status{};
  return !path.empty() && ::stat(path.c_str(), &status) == 0;
}

// libpq's: of digits and dots alone, or with a colon.
bool is_address(const std::string& host) {
  return host.contains(':') || host.find_first_not_of("0123456789.") == std::string::npos;
}

// Whoever else may read a key may be the program: so it has to be the user's alone, or root's,
// who may give it to a group.
std::expected<void, std::string> check_key_file(const std::string& certificate,
                                                const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0)
    return Failure("certificate file '" + certificate + "' has no private key: '" + path +
                   "': " + std::generic_category().message(errno) + " (sslkey names another)");
  if (!S_ISREG(status.st_mode)) return Failure("private key file '" + path + "' is no plain file");
  const mode_t open_to_others =
      status.st_uid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;
  if ((status.st_mode & open_to_others) != 0)
    return Failure(
        "private key file '" + path +
        "' may be read or written by others: chmod 0600 it (or 0640 where root owns it)");
  return {};
}

}  // namespace

std::span<const Way> ways_to(const io::Address& address, SslMode mode) {
  static constexpr Way plain[] = {Way::plain}, tls[] = {Way::tls},
                       plain_first[] = {Way::plain, Way::tls},
                       tls_first[] = {Way::tls_if_offered, Way::plain};
  if (address.family() == AF_UNIX || mode == SslMode::disable) return plain;
  if (mode == SslMode::allow) return plain_first;
  if (mode == SslMode::prefer) return tls_first;
  return tls;
}

Encryption::Paths::Paths(const Ssl& ssl)
    : root(ssl.rootcert),
      crl(ssl.crl),
      crl_folder(ssl.crldir),
      certificate(ssl.cert),
      key(ssl.key) {
  if (ssl.folder.empty()) return;
  if (root.empty()) root = ssl.folder + "/root.crt";
  if (crl.empty() && crl_folder.empty()) crl = ssl.folder + "/root.crl";
  if (certificate.empty()) certificate = ssl.folder + "/postgresql.crt";
  if (key.empty()) key = ssl.folder + "/postgresql.key";
}

std::vector<FileStamp> Encryption::stamps_of(const Paths& paths) {
  std::vector<FileStamp> stamps;
  for (const std::string* path :
       {&paths.root, &paths.crl, &paths.crl_folder, &paths.certificate, &paths.key})
    stamps.emplace_back(*path);
  return stamps;
}

std::expected<std::shared_ptr<io::TlsContext>, std::string> Encryption::context() {
  const Paths paths(conninfo_.ssl);
  std::vector<FileStamp> stamps = stamps_of(paths);
  if (context_ != nullptr && stamps == stamps_) return context_;
  context_ = nullptr;
  const auto chosen = choose(paths);
  if (!chosen) return Failure(chosen.error());
  auto made = io::TlsContext::make(*chosen);
  if (!made) return made;
  context_ = std::move(*made);
  stamps_ = std::move(stamps);
  return context_;
}

// A file that is not there is done without, where sslmode allows for that.
std::expected<io::TlsContext::Options, std::string> Encryption::choose(const Paths& paths) const {
  const Ssl& ssl = conninfo_.ssl;
  io::TlsContext::Options options{.min_version = openssl_version(ssl.min_protocol_version),
                                  .alpn = protocol,
                                  .key_log_file = ssl.keylogfile};
  if (ssl.max_protocol_version) options.max_version = openssl_version(*ssl.max_protocol_version);
  options.system_roots = ssl.rootcert == "system";
  if (!options.system_roots && is_there(paths.root)) options.root_file = paths.root;
  // The default list is of those whom the default file trusts, and not of the system's.
  const std::string& crl = options.system_roots ? ssl.crl : paths.crl;
  if (is_there(crl)) options.crl_file = crl;
  if (is_there(paths.crl_folder)) options.crl_folder = paths.crl_folder;
  if (!options.system_roots && options.root_file.empty() && conninfo_.sslmode >= SslMode::verify_ca)
    return Failure("root certificate file '" + (paths.root.empty() ? "root.crt" : paths.root) +
                   "' does not exist: provide it, name another by sslrootcert, use the system's by "
                   "sslrootcert=system, or choose an sslmode that does not look at the server's "
                   "certificate");
  if (ssl.certmode == Ssl::CertMode::disable || !is_there(paths.certificate)) return options;
  if (auto checked = check_key_file(paths.certificate, paths.key); !checked)
    return Failure(checked.error());
  options.certificate_file = paths.certificate;
  options.key_file = paths.key;
  options.key_password = ssl.password;
  return options;
}

std::string Encryption::sni(const std::string& host_name) const {
  return conninfo_.ssl.sni && !is_address(host_name) ? host_name : "";
}

std::expected<void, std::string> Encryption::check(const io::Tls& tls,
                                                   const std::string& host_name) const {
  if (conninfo_.ssl.negotiation == Ssl::Negotiation::direct && tls.alpn() != protocol)
    return Failure(
        "the server does not say that it speaks PostgreSQL's protocol (ALPN), which "
        "sslnegotiation=direct needs: PostgreSQL 17 or newer");
  if (tls.peer_certificate() == nullptr) return Failure("the server has shown no certificate");
  if (conninfo_.sslmode != SslMode::verify_full) return {};
  if (host_name.empty())
    return Failure("sslmode=verify-full needs the name of the host: set host beside hostaddr");
  return io::check_host(tls.peer_certificate(), host_name);
}

std::optional<std::string> find_tls_fault(const Conninfo& conninfo) {
  const bool needed = conninfo.sslmode >= SslMode::require &&
                      std::any_of(conninfo.hosts.begin(), conninfo.hosts.end(),
                                  [](const Host& host) { return !host.is_unix_socket(); });
  if (!needed) return std::nullopt;
  const auto context = Encryption(conninfo).context();
  if (context) return std::nullopt;
  return context.error();
}

}  // namespace ringpost::pg
