#include "proto/pg/conninfo.h"

#include <algorithm>
#include <charconv>
#include <map>

namespace ringpost::proto::pg {

namespace {

using Settings = std::map<std::string, std::string, std::less<>>;
using Failure = std::unexpected<std::string>;

// In single quotes, for messages, which are one line whatever the string has in it.
std::string quote(std::string_view text) {
  std::string line("'");
  for (const char c : text) line += (c >= 0 && c < 0x20) || c == 0x7f ? '?' : c;
  return line.append("'");
}

struct Keyword {
  const char* name;
  const char* variable;
};

// Those that have a meaning here.
constexpr Keyword keywords[] = {
    {"host", "PGHOST"},
    {"hostaddr", "PGHOSTADDR"},
    {"port", "PGPORT"},
    {"dbname", "PGDATABASE"},
    {"user", "PGUSER"},
    {"password", "PGPASSWORD"},
    {"options", "PGOPTIONS"},
    {"application_name", "PGAPPNAME"},
    {"connect_timeout", "PGCONNECT_TIMEOUT"},
    {"sslmode", "PGSSLMODE"},
    {"target_session_attrs", "PGTARGETSESSIONATTRS"},
};
// Those that libpq knows and that change nothing here...
constexpr std::string_view without_meaning[] = {
    "client_encoding",     "fallback_application_name", "keepalives", "keepalives_idle",
    "keepalives_interval", "keepalives_count",          "gssencmode", "channel_binding"};
// ...but for these two, which can demand a protection that is not there.
constexpr std::string_view protections[] = {"gssencmode", "channel_binding"};

template <size_t N>
bool is_one_of(const std::string_view (&names)[N], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

std::expected<void, std::string> set(Settings& settings, std::string key, std::string value) {
  const bool known = std::any_of(std::begin(keywords), std::end(keywords),
                                 [&](const Keyword& one) { return key == one.name; });
  if (known) {
    settings.insert_or_assign(std::move(key), std::move(value));
    return {};
  }
  if (is_one_of(protections, key) && value == "require")
    return Failure(key + "=require can't be kept: it is not supported; leave it out");
  if (is_one_of(without_meaning, key)) return {};
  std::string all;
  for (const Keyword& one : keywords) all.append(all.empty() ? "" : ", ").append(one.name);
  return Failure("the connection option " + quote(key) + " is not supported; supported are " + all);
}

std::expected<std::string, std::string> decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned value = 0;
    const char* digits = text.data() + i + 1;
    if (text.size() - i < 3 || std::from_chars(digits, digits + 2, value, 16).ptr != digits + 2 ||
        value == 0)
      return Failure(quote(text.substr(i, 3)) +
                     " is no percent-encoded character (a % itself is written %25)");
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

// host[:port], or [address][:port]; appended to the comma-separated lists.
std::expected<void, std::string> add_host(std::string_view text, std::string& hosts,
                                          std::string& ports, bool first) {
  size_t colon = text.find(':');
  std::string_view name = text.substr(0, colon);
  if (text.starts_with('[')) {
    const size_t bracket = text.find(']');
    if (bracket == std::string_view::npos)
      return Failure("the address " + quote(text) + " has no closing ]");
    name = text.substr(1, bracket - 1);
    if (bracket + 1 != text.size() && text[bracket + 1] != ':')
      return Failure("a port behind ] begins with a colon, in " + quote(text));
    colon = bracket + 1 == text.size() ? std::string_view::npos : bracket + 1;
  }
  auto decoded = decode(name);
  if (!decoded) return Failure(decoded.error());
  hosts.append(first ? "" : ",").append(*decoded);
  ports.append(first ? "" : ",")
      .append(colon == std::string_view::npos ? "" : text.substr(colon + 1));
  return {};
}

std::expected<void, std::string> parse_query(std::string_view query, Settings& settings) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos)
      return Failure(quote(pair) + " has no value; write name=value");
    auto key = decode(pair.substr(0, equals)), value = decode(pair.substr(equals + 1));
    if (!key || !value) return Failure(key ? value.error() : key.error());
    if (auto done = set(settings, std::move(*key), std::move(*value)); !done) return done;
  }
  return {};
}

std::expected<void, std::string> parse_uri(std::string_view rest, Settings& settings) {
  const size_t mark = std::min(rest.find('?'), rest.size());
  const std::string_view query = rest.substr(std::min(mark + 1, rest.size()));
  rest = rest.substr(0, mark);
  const size_t slash = std::min(rest.find('/'), rest.size());
  const std::string_view dbname = rest.substr(std::min(slash + 1, rest.size()));
  std::string_view authority = rest.substr(0, slash);
  if (const size_t at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view userinfo = authority.substr(0, at);
    authority.remove_prefix(at + 1);
    const size_t colon = std::min(userinfo.find(':'), userinfo.size());
    auto user = decode(userinfo.substr(0, colon)),
         password = decode(userinfo.substr(std::min(colon + 1, userinfo.size())));
    if (!user || !password) return Failure(user ? password.error() : user.error());
    if (!user->empty()) settings["user"] = *user;
    if (colon != userinfo.size()) settings["password"] = *password;
  }
  std::string hosts, ports;
  for (bool first = true; first || !authority.empty(); first = false) {
    const std::string_view one = authority.substr(0, authority.find(','));
    authority.remove_prefix(std::min(one.size() + 1, authority.size()));
    if (auto added = add_host(one, hosts, ports, first); !added) return added;
  }
  if (!hosts.empty()) settings["host"] = hosts;
  if (ports.find_first_not_of(',') != std::string::npos) settings["port"] = ports;
  if (!dbname.empty()) {
    auto decoded = decode(dbname);
    if (!decoded) return Failure(decoded.error());
    settings["dbname"] = *decoded;
  }
  return parse_query(query, settings);
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// name = value ..., a value with blanks in single quotes; \ takes the next character as it is.
std::expected<void, std::string> parse_keywords(std::string_view text, Settings& settings) {
  size_t at = 0;
  const auto skip_blanks = [&] {
    while (at < text.size() && is_blank(text[at])) ++at;
  };
  for (skip_blanks(); at < text.size(); skip_blanks()) {
    const size_t begin = at;
    while (at < text.size() && text[at] != '=' && !is_blank(text[at])) ++at;
    std::string key(text.substr(begin, at - begin)), value;
    skip_blanks();
    if (at == text.size() || text[at] != '=')
      return Failure(quote(key) + " has no value; write name=value");
    ++at;
    skip_blanks();
    const bool in_quotes = at < text.size() && text[at] == '\'';
    if (in_quotes) ++at;
    for (; at < text.size() && (in_quotes ? text[at] != '\'' : !is_blank(text[at])); ++at) {
      if (text[at] == '\\' && at + 1 < text.size()) ++at;
      value += text[at];
    }
    if (in_quotes && at++ == text.size())
      return Failure("the value of " + quote(key) + " has no closing quote");
    if (auto done = set(settings, std::move(key), std::move(value)); !done) return done;
  }
  return {};
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts(1);
  for (const char c : list) {
    if (c == ',')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

std::expected<std::vector<Host>, std::string> make_hosts(const Settings& settings) {
  const auto list = [&settings](const char* key) {
    const auto found = settings.find(key);
    return found == settings.end() || found->second.empty() ? std::vector<std::string>()
                                                            : split(found->second);
  };
  const std::vector<std::string> names = list("host"), addresses = list("hostaddr"),
                                 ports = list("port");
  const size_t count = std::max<size_t>({1, names.size(), addresses.size()});
  if (!names.empty() && !addresses.empty() && names.size() != addresses.size())
    return Failure("host names " + std::to_string(names.size()) + " hosts, hostaddr " +
                   std::to_string(addresses.size()));
  if (ports.size() > 1 && ports.size() != count)
    return Failure("port names " + std::to_string(ports.size()) + " ports for " +
                   std::to_string(count) + " hosts");
  std::vector<Host> hosts(count);
  for (size_t i = 0; i < count; ++i) {
    Host& host = hosts[i];
    if (i < names.size()) host.name = names[i];
    if (i < addresses.size()) host.address = addresses[i];
    if (host.name.empty() && host.address.empty())
      host.name = "/var/run/postgresql";  // Debian's folder for sockets
    const std::string port = ports.empty() ? "" : ports[ports.size() == 1 ? 0 : i];
    if (port.empty()) continue;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), host.port);
    if (error != std::errc() || end != port.data() + port.size() || host.port == 0)
      return Failure("the port " + quote(port) + " is no number from 1 to 65535");
  }
  return hosts;
}

// The place of the setting `key` in `names`, which are the enumerators in their order.
template <class Enum, size_t N>
std::expected<Enum, std::string> choice(const Settings& settings, const std::string& key,
                                        const std::string_view (&names)[N], Enum otherwise) {
  const auto found = settings.find(key);
  if (found == settings.end() || found->second.empty()) return otherwise;
  const auto name = std::find(std::begin(names), std::end(names), found->second);
  if (name != std::end(names)) return static_cast<Enum>(name - std::begin(names));
  std::string all;
  for (const std::string_view one : names) all.append(all.empty() ? "" : ", ").append(one);
  return Failure(key + " " + quote(found->second) + " is none of " + all);
}

std::expected<std::optional<std::chrono::seconds>, std::string> parse_timeout(
    const std::string& text) {
  if (text.empty()) return std::nullopt;
  int seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size())
    return Failure("connect_timeout " + quote(text) + " is no number of seconds");
  if (seconds <= 0) return std::nullopt;  // as in libpq: without limit
  return std::chrono::seconds(seconds);
}

std::expected<Conninfo, std::string> from_settings(const Settings& settings,
                                                   const ConninfoContext& context) {
  // An empty value is as good as none.
  const auto value = [&settings](const char* key, const std::string& otherwise) {
    const auto found = settings.find(key);
    return found == settings.end() || found->second.empty() ? otherwise : found->second;
  };
  Conninfo conninfo;
  auto hosts = make_hosts(settings);
  if (!hosts) return Failure(hosts.error());
  conninfo.hosts = std::move(*hosts);
  conninfo.user = value("user", context.os_user);
  conninfo.password = value("password", "");
  conninfo.dbname = value("dbname", conninfo.user);
  conninfo.application_name = value("application_name", context.application_name);
  conninfo.options = value("options", "");

  const auto timeout = parse_timeout(value("connect_timeout", ""));
  if (!timeout) return Failure(timeout.error());
  conninfo.connect_timeout = *timeout;

  constexpr std::string_view modes[] = {"disable", "allow",     "prefer",
                                        "require", "verify-ca", "verify-full"};
  const auto mode = choice(settings, "sslmode", modes, Conninfo::SslMode::prefer);
  if (!mode) return Failure(mode.error());
  conninfo.sslmode = *mode;

  constexpr std::string_view sessions[] = {"any",     "read-write", "read-only",
                                           "primary", "standby",    "prefer-standby"};
  const auto session =
      choice(settings, "target_session_attrs", sessions, Conninfo::TargetSession::any);
  if (!session) return Failure(session.error());
  conninfo.target_session_attrs = *session;
  return conninfo;
}

}  // namespace

std::string Host::text() const {
  if (is_unix_socket()) return socket_path();
  return (name.empty() ? address : name) + ":" + std::to_string(port);
}

std::expected<Conninfo, std::string> parse_conninfo(std::string_view text,
                                                    const ConninfoContext& context) {
  Settings settings;
  for (const Keyword& one : keywords)
    if (auto value = context.lookup(one.variable); value && !value->empty())
      settings[one.name] = *value;
  std::expected<void, std::string> parsed;
  bool is_uri = false;
  for (const std::string_view scheme : {"postgresql://", "postgres://"}) {
    if (!text.starts_with(scheme)) continue;
    is_uri = true;
    parsed = parse_uri(text.substr(scheme.size()), settings);
  }
  if (!is_uri) {
    if (text.find("://") != std::string_view::npos && text.find('=') == std::string_view::npos)
      return Failure("it begins with " + quote(text.substr(0, text.find("://") + 3)) +
                     ", and not with postgresql://");
    parsed = parse_keywords(text, settings);
  }
  if (!parsed) return Failure(parsed.error());
  return from_settings(settings, context);
}

}  // namespace ringpost::proto::pg
