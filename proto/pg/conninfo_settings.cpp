#include "proto/pg/conninfo_settings.h"

#include <algorithm>
#include <array>

#include "proto/pg/conninfo_files.h"

namespace ringpost::proto::pg {

namespace {

using Failure = std::unexpected<std::string>;
using Source = Setting::Source;

// Where Debian's libpq looks for pg_service.conf; another place is PGSYSCONFDIR's to say.
constexpr const char* default_sysconfdir = "/etc/postgresql-common";

// What is missing. Who builds it takes the word out of the table below: all values of that setting
// are kept then, and all of it is read into Conninfo already.
constexpr std::string_view gssapi = "GSSAPI", oauth = "OAuth";

constexpr Keyword table[] = {
    {"service", "PGSERVICE"},
    {"user", "PGUSER"},
    {"password", "PGPASSWORD", nullptr, {}, {}, true},
    {"passfile", "PGPASSFILE"},
    {"channel_binding", "PGCHANNELBINDING", "prefer"},
    {"connect_timeout", "PGCONNECT_TIMEOUT"},
    {"dbname", "PGDATABASE"},
    {"host", "PGHOST"},
    {"hostaddr", "PGHOSTADDR"},
    {"port", "PGPORT", "5432"},
    {"client_encoding", "PGCLIENTENCODING", nullptr, "another encoding than UTF8",
     "UTF8 utf8 UTF-8 utf-8"},
    {"options", "PGOPTIONS", ""},
    {"application_name", "PGAPPNAME"},
    {"fallback_application_name"},
    {"keepalives"},
    {"keepalives_idle"},
    {"keepalives_interval"},
    {"keepalives_count"},
    {"tcp_user_timeout"},
    {"sslmode", "PGSSLMODE", "prefer"},
    {"sslnegotiation", "PGSSLNEGOTIATION", "postgres"},
    {"sslcompression", "PGSSLCOMPRESSION", "0", "compression by TLS", "0"},
    {"sslcert", "PGSSLCERT"},
    {"sslkey", "PGSSLKEY"},
    {"sslcertmode", "PGSSLCERTMODE"},
    {"sslpassword", nullptr, nullptr, {}, {}, true},
    {"sslrootcert", "PGSSLROOTCERT"},
    {"sslcrl", "PGSSLCRL"},
    {"sslcrldir", "PGSSLCRLDIR"},
    {"sslsni", "PGSSLSNI", "1"},
    {"requirepeer", "PGREQUIREPEER"},
    {"require_auth", "PGREQUIREAUTH"},
    {"min_protocol_version", "PGMINPROTOCOLVERSION"},
    {"max_protocol_version", "PGMAXPROTOCOLVERSION"},
    {"ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", "TLSv1.2"},
    {"ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"},
    {"gssencmode", "PGGSSENCMODE", "prefer", gssapi, "disable prefer"},
    {"krbsrvname", "PGKRBSRVNAME", "postgres", gssapi, "postgres"},
    {"gsslib", "PGGSSLIB", nullptr, gssapi},
    {"gssdelegation", "PGGSSDELEGATION", "0", gssapi, "0"},
    {"replication", nullptr, nullptr, "a session of replication", "false off no 0"},
    {"target_session_attrs", "PGTARGETSESSIONATTRS", "any"},
    {"load_balance_hosts", "PGLOADBALANCEHOSTS", "disable"},
    {"scram_client_key", nullptr, nullptr, "keys in place of a password", {}, true},
    {"scram_server_key", nullptr, nullptr, "keys in place of a password", {}, true},
    {"oauth_issuer", nullptr, nullptr, oauth},
    {"oauth_client_id", nullptr, nullptr, oauth},
    {"oauth_client_secret", nullptr, nullptr, oauth, {}, true},
    {"oauth_scope", nullptr, nullptr, oauth},
    {"sslkeylogfile"},
};

bool has_word(std::string_view words, std::string_view wanted) {
  while (!words.empty()) {
    const std::string_view word = words.substr(0, words.find(' '));
    words.remove_prefix(std::min(word.size() + 1, words.size()));
    if (word == wanted) return true;
  }
  return false;
}

void add_variable(Settings& settings, const Keyword& keyword, const ConninfoContext& context) {
  if (keyword.variable == nullptr) return;
  if (auto value = context.lookup(keyword.variable))
    settings.add(
        keyword.name,
        {.value = std::move(*value), .source = Source::environment, .where = keyword.variable});
}

// In the user's file, or the one that PGSERVICEFILE names; where the service is not there, in the
// system's.
std::expected<void, std::string> add_service(Settings& settings, const ConninfoContext& context) {
  add_variable(settings, *find_keyword("service"), context);
  const std::string service = settings.value("service");
  if (service.empty()) return {};
  const auto named = context.lookup("PGSERVICEFILE");
  const std::string sysconfdir = context.lookup("PGSYSCONFDIR").value_or(default_sysconfdir);
  std::string looked_into;
  for (const std::string& path :
       {named.value_or(context.home.empty() ? "" : context.home + "/.pg_service.conf"),
        sysconfdir + "/pg_service.conf"}) {
    const auto text = context.read_file ? context.read_file(path) : std::nullopt;
    if (!text && path == named) return Failure("service file " + quote(path) + " can't be read");
    looked_into.append(looked_into.empty() ? "" : " nor in ").append(quote(path));
    if (!text) continue;
    const auto found = add_service(settings, *text, service, path);
    if (!found) return Failure(found.error());
    if (*found) return {};
  }
  return Failure(settings.label("service") + " names one that is neither in " + looked_into);
}

void add_environment(Settings& settings, const ConninfoContext& context) {
  for (const Keyword& one : table) add_variable(settings, one, context);
  if (context.lookup("PGREQUIRESSL").value_or("").starts_with('1'))
    settings.add("sslmode",
                 {.value = "require", .source = Source::environment, .where = "PGREQUIRESSL"});
}

}  // namespace

std::span<const Keyword> keywords() {
  return table;
}

const Keyword* find_keyword(std::string_view name) {
  const auto* found = std::find_if(std::begin(table), std::end(table),
                                   [name](const Keyword& one) { return one.name == name; });
  return found == std::end(table) ? nullptr : found;
}

std::string Setting::origin() const {
  switch (source) {
    case Source::string:
      return "string";
    case Source::service:
      return "service " + where;
    case Source::environment:
      return "environment " + where;
    default:
      return "default";
  }
}

bool Settings::set(std::string_view name, Setting setting) {
  const Keyword* keyword = find_keyword(name);
  if (keyword == nullptr) return false;
  settings_.insert_or_assign(keyword->name, std::move(setting));
  return true;
}

bool Settings::add(std::string_view name, Setting setting) {
  return settings_.contains(name) || set(name, std::move(setting));
}

const Setting* Settings::find(std::string_view name) const {
  const auto found = settings_.find(name);
  return found == settings_.end() ? nullptr : &found->second;
}

std::string Settings::value(std::string_view name, std::string_view otherwise) const {
  const Setting* setting = find(name);
  return setting == nullptr || setting->value.empty() ? std::string(otherwise) : setting->value;
}

std::string Settings::label(std::string_view name) const {
  const Setting* setting = find(name);
  std::string text(name);
  if (setting != nullptr && setting->source != Source::string)
    text.append(" (").append(setting->origin()).append(")");
  return text;
}

std::expected<void, std::string> add_defaults(Settings& settings, const ConninfoContext& context) {
  if (auto added = add_service(settings, context); !added) return added;
  add_environment(settings, context);
  // The certificates that the system trusts are everybody's: only the host's name in one means
  // something.
  if (settings.value("sslrootcert") == "system")
    settings.add("sslmode", {.value = "verify-full", .source = Source::fallback});
  for (const Keyword& one : table)
    if (one.fallback != nullptr)
      settings.add(one.name, {.value = one.fallback, .source = Source::fallback});
  settings.add("user", {.value = context.os_user, .source = Source::fallback});
  return {};
}

std::expected<void, std::string> check_kept(const Settings& settings) {
  for (const Keyword& one : table) {
    const std::string value = settings.value(one.name);
    if (one.missing.empty() || value.empty() || has_word(one.harmless, value)) continue;
    std::string words(one.harmless);
    std::replace(words.begin(), words.end(), ' ', '|');
    return Failure(settings.label(one.name) + " asks for " + std::string(one.missing) +
                   ", which is not supported; leave it out" +
                   (words.empty() ? "" : ", or set it to " + words));
  }
  return {};
}

std::string quote(std::string_view text) {
  std::string line("'");
  for (const char c : text) line += (c >= 0 && c < 0x20) || c == 0x7f ? '?' : c;
  return line.append("'");
}

}  // namespace ringpost::proto::pg
