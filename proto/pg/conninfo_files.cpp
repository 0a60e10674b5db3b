#include "proto/pg/conninfo_files.h"

#include "proto/pg/conninfo_syntax.h"

namespace ringpost::proto::pg {

namespace {

using Failure = std::unexpected<std::string>;

std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

std::string_view trim(std::string_view line) {
  while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
  while (!line.empty() && is_blank(line.back())) line.remove_suffix(1);
  return line;
}

// What stands behind a field that is `wanted`, or *.
std::optional<std::string_view> behind_field(std::string_view line, std::string_view wanted) {
  if (line.starts_with("*:")) return line.substr(2);
  size_t at = 0;
  for (const char c : wanted) {
    if (at < line.size() && line[at] == '\\') ++at;
    if (at >= line.size() || line[at] != c) return std::nullopt;
    ++at;
  }
  if (at >= line.size() || line[at] != ':') return std::nullopt;
  return line.substr(at + 1);
}

// Up to a colon, so that fields of a later release may follow.
std::string unescape(std::string_view field) {
  std::string text;
  for (size_t at = 0; at < field.size() && field[at] != ':'; ++at) {
    if (field[at] == '\\' && at + 1 < field.size()) ++at;
    text += field[at];
  }
  return text;
}

}  // namespace

std::expected<bool, std::string> add_service(Settings& settings, std::string_view text,
                                             const std::string& service, const std::string& path) {
  const auto fail = [&path](int line, const std::string& why) {
    return Failure("service file " + quote(path) + ", line " + std::to_string(line) + ": " + why);
  };
  bool found = false;
  for (int number = 1; !text.empty(); ++number) {
    const std::string_view line = trim(take_line(text));
    if (line.empty() || line.front() == '#') continue;
    if (line.front() == '[') {
      if (found) break;
      found =
          line.substr(1).starts_with(service) && line.substr(1 + service.size()).starts_with(']');
      continue;
    }
    if (!found) continue;
    if (line.starts_with("ldap")) return fail(number, "services from LDAP are not supported");
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos) return fail(number, "it is no name=value");
    const std::string_view name = line.substr(0, equals);
    if (name == "service") return fail(number, "a service can't name another");
    // Unknown names are not shown: one may be the end of a password that has a line's end in it.
    if (find_keyword(name) == nullptr)
      return fail(number, "what stands before = is no setting that libpq knows");
    settings.add(name, {.value = std::string(line.substr(equals + 1)),
                        .source = Setting::Source::service,
                        .where = service});
  }
  return found;
}

std::optional<std::string> find_password(std::string_view text, std::string_view host,
                                         std::string_view port, std::string_view dbname,
                                         std::string_view user) {
  while (!text.empty()) {
    std::string_view line = take_line(text);
    while (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with('#')) continue;
    std::optional<std::string_view> rest = line;
    for (const std::string_view wanted : {host, port, dbname, user})
      if (rest) rest = behind_field(*rest, wanted);
    if (rest) return unescape(*rest);
  }
  return std::nullopt;
}

}  // namespace ringpost::proto::pg
