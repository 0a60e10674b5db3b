#include "proto/pg/conninfo.h"

#include <algorithm>
#include <limits>

#include "proto/pg/conninfo_files.h"
#include "proto/pg/conninfo_reader.h"
#include "proto/pg/conninfo_settings.h"
#include "proto/pg/conninfo_syntax.h"

namespace ringpost::proto::pg {

namespace {

using Failure = std::unexpected<std::string>;

// Debian's folder for sockets.
constexpr const char* default_socket_folder = "/var/run/postgresql";

// In letters of any case.
bool is_same_word(std::string_view one, std::string_view other) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(one, other, {}, lower, lower);
}

// Of IPv4 or IPv6, and no name that would have to be looked up.
bool is_numeric(std::string_view address) {
  return address.contains(':') ||
         address.find_first_not_of("0123456789.") == std::string_view::npos;
}

std::vector<Host> read_hosts(ConninfoReader& reader) {
  const std::vector<std::string> names = reader.list("host"), addresses = reader.list("hostaddr"),
                                 ports = reader.list("port");
  const size_t count = std::max<size_t>({1, names.size(), addresses.size()});
  if (!names.empty() && !addresses.empty() && names.size() != addresses.size())
    reader.refuse("hostaddr", "names " + std::to_string(addresses.size()) + " hosts, host " +
                                  std::to_string(names.size()));
  if (ports.size() > 1 && ports.size() != count)
    reader.refuse("port", "names " + std::to_string(ports.size()) + " ports for " +
                              std::to_string(count) + " hosts");
  if (!reader.failure().empty()) return {};
  std::vector<Host> hosts(count);
  for (size_t i = 0; i < count; ++i) {
    Host& host = hosts[i];
    if (i < names.size()) host.name = names[i];
    if (i < addresses.size()) host.address = addresses[i];
    if (host.name.empty() && host.address.empty()) host.name = default_socket_folder;
    if (!host.address.empty() && !is_numeric(host.address))
      reader.refuse("hostaddr", "is no IP address");
    // No name that can be looked up, but the rest of a password that has an @ in it.
    if (!host.is_unix_socket() && host.name.contains('@'))
      reader.refuse("host", "has an @ in it; one in a URI's user or password is written %40");
    const std::string port = ports.empty() ? "" : ports[ports.size() == 1 ? 0 : i];
    if (port.empty()) continue;
    const std::optional<int> number = ConninfoReader::parse_integer(port);
    if (!number || *number < 1 || *number > std::numeric_limits<uint16_t>::max())
      reader.refuse("port", "is no number from 1 to 65535");
    else
      host.port = static_cast<uint16_t>(*number);
  }
  return hosts;
}

Conninfo::Ssl::Version read_tls_version(ConninfoReader& reader, std::string_view name,
                                        Conninfo::Ssl::Version otherwise) {
  constexpr std::string_view names[] = {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"};
  const std::string value = reader.text(name);
  if (value.empty()) return otherwise;
  for (size_t i = 0; i < std::size(names); ++i)
    if (is_same_word(value, names[i])) return static_cast<Conninfo::Ssl::Version>(i);
  reader.refuse(name, "is none of " + ConninfoReader::joined(names));
  return otherwise;
}

Conninfo::Ssl read_ssl(ConninfoReader& reader, Conninfo::SslMode mode) {
  using Ssl = Conninfo::Ssl;
  Ssl ssl;
  ssl.negotiation =
      reader.choice("sslnegotiation", {"postgres", "direct"}, Ssl::Negotiation::postgres);
  ssl.cert = reader.text("sslcert");
  ssl.key = reader.text("sslkey");
  ssl.password = reader.text("sslpassword");
  ssl.rootcert = reader.text("sslrootcert");
  ssl.crl = reader.text("sslcrl");
  ssl.crldir = reader.text("sslcrldir");
  ssl.keylogfile = reader.text("sslkeylogfile");
  ssl.certmode =
      reader.choice("sslcertmode", {"disable", "allow", "require"}, Ssl::CertMode::allow);
  ssl.sni = reader.choice("sslsni", {"0", "1"}, 1) == 1;
  ssl.min_protocol_version =
      read_tls_version(reader, "ssl_min_protocol_version", Ssl::Version::tls_1);
  if (!reader.text("ssl_max_protocol_version").empty())
    ssl.max_protocol_version =
        read_tls_version(reader, "ssl_max_protocol_version", Ssl::Version::tls_1_3);
  if (ssl.max_protocol_version.value_or(Ssl::Version::tls_1_3) < ssl.min_protocol_version)
    reader.refuse("ssl_max_protocol_version", "is less than ssl_min_protocol_version");
  // Both would be of no use where the server may choose to do without.
  if (ssl.rootcert == "system" && mode != Conninfo::SslMode::verify_full)
    reader.refuse("sslmode", "must be verify-full for sslrootcert=system");
  if (ssl.negotiation == Ssl::Negotiation::direct && mode < Conninfo::SslMode::require)
    reader.refuse("sslmode", "must be require or more for sslnegotiation=direct");
  return ssl;
}

Conninfo::Keepalives read_keepalives(ConninfoReader& reader) {
  return {.on = reader.integer("keepalives", "keepalives (1 is on, 0 off)").value_or(1) != 0,
          .idle = reader.positive<std::chrono::seconds>("keepalives_idle", "seconds"),
          .interval = reader.positive<std::chrono::seconds>("keepalives_interval", "seconds"),
          .count = reader.positive<int>("keepalives_count", "keepalives")};
}

// Methods that are allowed; or, each with a ! before it, those that are not.
Conninfo::AuthMethods read_require_auth(ConninfoReader& reader) {
  constexpr std::string_view names[] = {"none", "password",      "md5",  "gss",
                                        "sspi", "scram-sha-256", "oauth"};
  const std::vector<std::string> methods = reader.list("require_auth");
  const bool negated = !methods.empty() && methods[0].starts_with('!');
  Conninfo::AuthMethods listed;
  for (const std::string& method : methods) {
    if (method.starts_with('!') != negated)
      reader.refuse("require_auth", "has methods with a ! and without");
    const auto* found =
        std::find(std::begin(names), std::end(names), method.substr(method.starts_with('!')));
    const auto place = static_cast<size_t>(found - std::begin(names));
    if (found == std::end(names))
      reader.refuse("require_auth", "is no list of " + ConninfoReader::joined(names));
    else if (listed[place])
      reader.refuse("require_auth", "names a method twice");
    else
      listed.set(place);
  }
  return negated || methods.empty() ? ~listed : listed;
}

void read_protocol_versions(ConninfoReader& reader, Conninfo& conninfo) {
  using Version = Conninfo::ProtocolVersion;
  constexpr Version versions[] = {Version::v3_0, Version::v3_2, Version::v3_2};
  constexpr std::string_view names[] = {"3.0", "3.2", "latest"};
  conninfo.min_protocol_version = versions[reader.choice("min_protocol_version", names, 0)];
  // 3.0 unless one of the two asks for more: what came before PostgreSQL 18, and some poolers, end
  // the session of who asks for a version that they do not know.
  const int otherwise = conninfo.min_protocol_version == Version::v3_0 ? 0 : 1;
  conninfo.max_protocol_version = versions[reader.choice("max_protocol_version", names, otherwise)];
  if (conninfo.max_protocol_version < conninfo.min_protocol_version)
    reader.refuse("max_protocol_version", "is less than min_protocol_version");
}

// As the password file has it: a socket in the default folder is localhost.
std::string_view name_in_password_file(const Host& host) {
  if (host.name == default_socket_folder) return "localhost";
  return host.name.empty() ? host.address : host.name;
}

// libpq has no settings for these.
std::vector<std::pair<std::string, std::string>> read_parameters(const ConninfoContext& context) {
  std::vector<std::pair<std::string, std::string>> parameters;
  for (const auto& [variable, name] : {std::pair{"PGDATESTYLE", "datestyle"},
                                       std::pair{"PGTZ", "timezone"}, std::pair{"PGGEQO", "geqo"}})
    if (auto value = context.lookup(variable); value && !is_same_word(*value, "default"))
      parameters.emplace_back(name, std::move(*value));
  return parameters;
}

}  // namespace

std::string Host::text() const {
  if (is_unix_socket()) return socket_path();
  return (name.empty() ? address : name) + ":" + std::to_string(port);
}

// Looked at when nothing else gives a password, and used if it is the user's alone.
void read_password_file(Conninfo& conninfo, const ConninfoContext& context) {
  using std::filesystem::perms;
  const std::string& path = conninfo.passfile;
  conninfo.warning.clear();
  if (path.empty() || !context.file_status || !context.read_file) return;
  const std::filesystem::file_status status = context.file_status(path);
  if (!std::filesystem::exists(status)) return;
  if (!std::filesystem::is_regular_file(status)) {
    conninfo.warning = "the password file " + quote(path) + " is not used: it is no plain file";
    return;
  }
  if ((status.permissions() & (perms::group_all | perms::others_all)) != perms::none) {
    conninfo.warning = "the password file " + quote(path) +
                       " is not used: others may read or write it (chmod 0600 it)";
    return;
  }
  std::optional<std::string> text = context.read_file(path);
  if (!text) return;
  for (Host& host : conninfo.hosts) {
    wire::wipe(host.password);
    host.password = find_password(*text, name_in_password_file(host), std::to_string(host.port),
                                  conninfo.dbname, conninfo.user)
                        .value_or("");
  }
  wire::wipe(*text);
}

std::expected<Settings, std::string> parse_connection_string(std::string_view text) {
  Settings settings;
  std::expected<void, std::string> parsed;
  const size_t scheme_end = text.find("://");
  const std::string_view scheme = text.substr(0, scheme_end);
  if (scheme_end != std::string_view::npos && (scheme == "postgresql" || scheme == "postgres")) {
    parsed = parse_uri(text.substr(scheme_end + 3), settings);
  } else if (scheme_end != std::string_view::npos && !scheme.contains('=')) {
    return Failure("it is a URI that does not begin with postgresql:// or postgres://");
  } else {
    parsed = parse_keywords(text, settings);
  }
  if (!parsed) return Failure(parsed.error());
  return settings;
}

std::expected<Settings, std::string> read_settings(std::string_view text,
                                                   const ConninfoContext& context) {
  auto settings = parse_connection_string(text);
  if (!settings) return settings;
  // libpq takes what stands behind the / for the database, and would say its name.
  if (text.contains("://") && text.contains('@') && settings->find("user") == nullptr &&
      settings->value("dbname").contains('@'))
    return Failure(
        "the URI has an @ in its database and no user before it (a / in a user or password is "
        "written %2F, an @ in a database %40)");
  if (auto added = add_defaults(*settings, context); !added) return Failure(added.error());
  return settings;
}

std::expected<Conninfo, std::string> conninfo_of(const Settings& settings,
                                                 const ConninfoContext& context) {
  ConninfoReader reader(settings);
  Conninfo conninfo;
  conninfo.hosts = read_hosts(reader);
  conninfo.user = reader.text("user", context.os_user);
  conninfo.password = reader.text("password");
  conninfo.dbname = reader.text("dbname", conninfo.user);
  conninfo.application_name = reader.text(
      "application_name", reader.text("fallback_application_name", context.application_name));
  conninfo.options = reader.text("options");
  conninfo.parameters = read_parameters(context);
  if (const std::optional<int> seconds = reader.integer("connect_timeout", "seconds"))
    conninfo.connect_timeout = std::chrono::seconds(std::max(*seconds, 0));
  if (const std::optional<int> ms = reader.integer("tcp_user_timeout", "milliseconds"))
    conninfo.tcp_user_timeout = std::chrono::milliseconds(std::max(*ms, 0));
  conninfo.keepalives = read_keepalives(reader);
  conninfo.sslmode = reader.choice(
      "sslmode", {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"},
      Conninfo::SslMode::prefer);
  conninfo.ssl = read_ssl(reader, conninfo.sslmode);
  if (!context.home.empty()) conninfo.ssl.folder = context.home + "/.postgresql";
  conninfo.requirepeer = reader.text("requirepeer");
  conninfo.channel_binding = reader.choice("channel_binding", {"disable", "prefer", "require"},
                                           Conninfo::ChannelBinding::prefer);
  conninfo.require_auth = read_require_auth(reader);
  read_protocol_versions(reader, conninfo);
  conninfo.target_session_attrs =
      reader.choice("target_session_attrs",
                    {"any", "read-write", "read-only", "primary", "standby", "prefer-standby"},
                    Conninfo::TargetSession::any);
  conninfo.load_balance_hosts =
      reader.choice("load_balance_hosts", {"disable", "random"}, Conninfo::LoadBalance::disable);
  reader.choice("gssencmode", {"disable", "prefer", "require"}, 1);
  if (!reader.failure().empty()) return Failure(reader.failure());
  if (conninfo.password.empty()) {
    conninfo.passfile =
        reader.text("passfile", context.home.empty() ? "" : context.home + "/.pgpass");
    read_password_file(conninfo, context);
  }
  return conninfo;
}

std::expected<Conninfo, std::string> parse_conninfo(std::string_view text,
                                                    const ConninfoContext& context) {
  const auto settings = read_settings(text, context);
  if (!settings) return Failure(settings.error());
  auto conninfo = conninfo_of(*settings, context);
  if (!conninfo) return conninfo;
  if (auto kept = check_kept(*settings); !kept) return Failure(kept.error());
  return conninfo;
}

}  // namespace ringpost::proto::pg
