// Encryption: what a connection string says of TLS, as io::Tls takes it; by libpq's rules
// (PostgreSQL 18 documentation, 32.19 "SSL Support").
//
// Files are looked at when a connection is made, and read anew when one of them has changed since:
// certificates are renewed while programs run. A shard has one for all its connections.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "proto/pg/conninfo.h"
#include "src/io/address.h"
#include "src/io/tls.h"
#include "src/pg/file_stamp.h"

namespace ringpost::pg {

// How to go to a server.
enum class Way : uint8_t {
  plain,
  tls,
  tls_if_offered,  // plain where the server says that it has no TLS
};

// In the order in which to try them, as sslmode says; by a UNIX socket there is no TLS.
std::span<const Way> ways_to(const io::Address& address, proto::pg::Conninfo::SslMode mode);

class Encryption {
 public:
  // It outlives the object.
  explicit Encryption(const proto::pg::Conninfo& conninfo) : conninfo_(conninfo) {}

  // By the files as they are now; or what is wrong with them, and what to do about it.
  std::expected<std::shared_ptr<io::TlsContext>, std::string> context();

  // The name by which the server at `host_name` is asked for its certificate; empty: none, as it
  // is an address, or sslsni=0.
  std::string sni(const std::string& host_name) const;

  // Once a connection is open: that its peer is who sslmode asks for.
  std::expected<void, std::string> check(const io::Tls& tls, const std::string& host_name) const;

 private:
  struct Paths {
    explicit Paths(const proto::pg::Conninfo::Ssl& ssl);
    std::string root, crl, crl_folder, certificate, key;
  };
  static std::vector<FileStamp> stamps_of(const Paths& paths);
  std::expected<io::TlsContext::Options, std::string> choose(const Paths& paths) const;

  const proto::pg::Conninfo& conninfo_;
  std::vector<FileStamp> stamps_;  // when context_ was made
  std::shared_ptr<io::TlsContext> context_;
};

// What is wrong with the files that the settings name, where no connection could be had without
// them; for the start of a program.
std::optional<std::string> find_tls_fault(const proto::pg::Conninfo& conninfo);

}  // namespace ringpost::pg
