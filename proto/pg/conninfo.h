// Where PostgreSQL is and who asks: libpq's connection strings, in both forms, merged with a
// service, its PG* variables and its defaults (PostgreSQL 18 documentation, 32.1.1 "Connection
// Strings", 32.15 to 32.17).
//
//     postgresql://user:password@host1:port1,host2:port2/dbname?name=value&...
//     host=... port=... user=... password='with \'quotes\''
//
// What the string says wins over its service, that over the environment, that over the defaults. A
// setting that would not be kept is refused: none is read and then ignored.
#pragma once

#include <bitset>
#include <chrono>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringpost::proto::pg {

struct Host {
  // A host name, an address, or the folder of a UNIX socket (it begins with '/', or with '@' for an
  // abstract one).
  std::string name;
  // hostaddr: used instead of looking the name up.
  std::string address;
  uint16_t port = 5432;
  // What the password file has for it, where Conninfo::password is empty (password_for()).
  std::string password = {};

  bool is_unix_socket() const {
    return address.empty() && !name.empty() && (name[0] == '/' || name[0] == '@');
  }
  std::string socket_path() const { return name + "/.s.PGSQL." + std::to_string(port); }
  // For messages: "db.example:5432", "/run/postgresql/.s.PGSQL.5432".
  std::string text() const;
  bool operator==(const Host&) const = default;
};

struct Conninfo {
  enum class SslMode : uint8_t { disable, allow, prefer, require, verify_ca, verify_full };
  enum class TargetSession : uint8_t {
    any,
    read_write,
    read_only,
    primary,
    standby,
    prefer_standby
  };
  enum class LoadBalance : uint8_t { disable, random };
  enum class ChannelBinding : uint8_t { disable, prefer, require };
  // Authentication methods as require_auth names them; `none` is a server that asks for none.
  enum class AuthMethod : uint8_t { none, password, md5, gss, sspi, scram_sha_256, oauth };
  using AuthMethods = std::bitset<7>;  // by AuthMethod
  // As a start-up message has them: the major version in the upper 16 bits.
  enum class ProtocolVersion : uint32_t { v3_0 = 3 << 16, v3_2 = (3 << 16) + 2 };

  struct Ssl {
    enum class Negotiation : uint8_t { postgres, direct };
    enum class CertMode : uint8_t { disable, allow, require };
    enum class Version : uint8_t { tls_1, tls_1_1, tls_1_2, tls_1_3 };

    Negotiation negotiation = Negotiation::postgres;
    // Paths. Empty: those of `folder`, where they exist. `rootcert` may be "system".
    std::string cert, key, rootcert, crl, crldir;
    std::string folder;    // ~/.postgresql, with postgresql.crt, postgresql.key, root.crt, root.crl
    std::string password;  // of `key`
    CertMode certmode = CertMode::allow;
    bool sni = true;
    Version min_protocol_version = Version::tls_1_2;
    std::optional<Version> max_protocol_version;
    std::string keylogfile;
    bool operator==(const Ssl&) const = default;
  };

  struct Keepalives {
    bool on = true;
    // Empty: the system's.
    std::optional<std::chrono::seconds> idle, interval;
    std::optional<int> count;
    bool operator==(const Keepalives&) const = default;
  };

  // What `host` is to be told, which is one of `hosts`; may be empty.
  const std::string& password_for(const Host& host) const {
    return password.empty() ? host.password : password;
  }

  // At least one; tried in this order, unless load_balance_hosts says otherwise.
  std::vector<Host> hosts;
  std::string user, password, dbname, application_name, options;
  // Further ones of the start-up message: what PGDATESTYLE, PGTZ and PGGEQO set.
  std::vector<std::pair<std::string, std::string>> parameters;
  std::optional<std::chrono::seconds> connect_timeout;        // of each address; 0: no limit
  std::optional<std::chrono::milliseconds> tcp_user_timeout;  // 0: the system's
  Keepalives keepalives;
  TargetSession target_session_attrs = TargetSession::any;
  LoadBalance load_balance_hosts = LoadBalance::disable;
  SslMode sslmode = SslMode::prefer;
  Ssl ssl;
  std::string requirepeer;  // whom the server has to run as, by a UNIX socket; empty: anybody
  ChannelBinding channel_binding = ChannelBinding::prefer;
  AuthMethods require_auth = AuthMethods().set();  // those that are allowed
  ProtocolVersion min_protocol_version = ProtocolVersion::v3_0,
                  max_protocol_version = ProtocolVersion::v3_0;

  // The password file's path, where `password` is empty; empty: none.
  std::string passfile;
  // Why the password file is not used though it is there: for the log. Empty: nothing to say.
  std::string warning;

  bool operator==(const Conninfo&) const = default;
};

// What a connection string is read with, beside the string. Without the two functions of files
// there are none.
struct ConninfoContext {
  // An environment variable's value.
  std::function<std::optional<std::string>(const std::string&)> lookup;
  std::function<std::filesystem::file_status(const std::string& path)> file_status;
  // A file's text, or nothing when it can't be opened.
  std::function<std::optional<std::string>(const std::string& path)> read_file;
  // The user's folder, with ~/.pgpass and ~/.pg_service.conf; may be empty.
  std::string home;
  // The defaults of user and of application_name.
  std::string os_user, application_name;
};

// The error is one line: what is wrong, where, what to do. It names settings and never shows what
// was given for one, which by a slip of quoting could be a part of a password.
std::expected<Conninfo, std::string> parse_conninfo(std::string_view text,
                                                    const ConninfoContext& context);

// What the hosts of `conninfo` have in its password file as it is now, and whether that may be used
// (its warning). Where it can't be read they keep what they have.
void read_password_file(Conninfo& conninfo, const ConninfoContext& context);

// What parse_conninfo reads, a line for each setting: name='value' as a connection string has it,
// and in brackets where it comes from: string, service, environment, default. Secrets are hidden.
std::expected<std::string, std::string> explain_conninfo(std::string_view text,
                                                         const ConninfoContext& context);

}  // namespace ringpost::proto::pg
