// Where PostgreSQL is and who asks: libpq's connection strings, in both forms, merged with its PG*
// variables and its defaults (PostgreSQL 18 documentation, 32.1.1 "Connection Strings", 32.15
// "Environment Variables").
//
//     postgresql://user:password@host1:port1,host2:port2/dbname?name=value&...
//     host=... port=... user=... password='with \'quotes\''
//
// What the string says wins over the environment, that over the defaults.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::proto::pg {

struct Host {
  // A host name, an address, or the folder of a UNIX socket (it begins with '/', or with '@' for an
  // abstract one).
  std::string name;
  // hostaddr: used instead of looking the name up.
  std::string address;
  uint16_t port = 5432;

  bool is_unix_socket() const {
    return address.empty() && !name.empty() && (name[0] == '/' || name[0] == '@');
  }
  std::string socket_path() const { return name + "/.s.PGSQL." + std::to_string(port); }
  // For messages: "db.example:5432", "/run/postgresql/.s.PGSQL.5432".
  std::string text() const;
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

  // At least one; tried in this order.
  std::vector<Host> hosts;
  std::string user, password, dbname, application_name, options;
  std::optional<std::chrono::seconds> connect_timeout;
  SslMode sslmode = SslMode::prefer;
  TargetSession target_session_attrs = TargetSession::any;

  // A connection without TLS is none that this string allows.
  bool requires_tls() const { return sslmode >= SslMode::require; }
};

// What a connection string is read with.
struct ConninfoContext {
  // An environment variable's value.
  std::function<std::optional<std::string>(const std::string&)> lookup;
  // The defaults of user and of application_name.
  std::string os_user, application_name;
};

// The error is one line: what is wrong, where, what to do.
std::expected<Conninfo, std::string> parse_conninfo(std::string_view text,
                                                    const ConninfoContext& context);

}  // namespace ringpost::proto::pg
