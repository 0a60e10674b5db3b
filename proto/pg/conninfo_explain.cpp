#include <algorithm>

#include "proto/pg/conninfo.h"
#include "proto/pg/conninfo_settings.h"

namespace ringpost::proto::pg {

namespace {

// As a connection string has it; it stays one line and shows no control character.
std::string written(std::string_view value) {
  std::string text("'");
  for (const char c : value) {
    if (c == '\'' || c == '\\') text += '\\';
    text += (c >= 0 && c < 0x20) || c == 0x7f ? '?' : c;
  }
  return text + "'";
}

std::string line(std::string_view name, const std::string& value, std::string_view origin) {
  return std::string(name).append("=").append(value).append(" (").append(origin).append(")\n");
}

// What is used where nothing sets it; empty: nothing is.
std::string used(std::string_view name, const Conninfo& conninfo) {
  if (name == "host") return conninfo.hosts[0].name;
  if (name == "user") return conninfo.user;
  if (name == "dbname") return conninfo.dbname;
  if (name == "application_name") return conninfo.application_name;
  return "";
}

bool in_password_file(const Conninfo& conninfo) {
  return std::any_of(conninfo.hosts.begin(), conninfo.hosts.end(),
                     [](const Host& host) { return !host.password.empty(); });
}

}  // namespace

std::expected<std::string, std::string> explain_conninfo(std::string_view text,
                                                         const ConninfoContext& context) {
  const auto settings = read_settings(text, context);
  if (!settings) return std::unexpected(settings.error());
  const auto conninfo = parse_conninfo(text, context);
  if (!conninfo) return std::unexpected(conninfo.error());
  const std::string hidden = written("********");
  std::string lines;
  for (const Keyword& one : keywords()) {
    const Setting* setting = settings->find(one.name);
    // A default of what this client does not do is not used.
    const bool is_default = setting != nullptr && setting->source == Setting::Source::fallback;
    if (is_default && !one.missing.empty()) continue;
    if (setting != nullptr && !setting->value.empty())
      lines += line(one.name, one.secret ? hidden : written(setting->value), setting->origin());
    else if (one.name == "password" && in_password_file(*conninfo))
      lines += line(one.name, hidden, "password file");
    else if (const std::string value = used(one.name, *conninfo); !value.empty())
      lines += line(one.name, written(value), "default");
  }
  for (const auto& [name, value] : conninfo->parameters)
    lines += line(name, written(value), "environment");
  return lines;
}

}  // namespace ringpost::proto::pg
