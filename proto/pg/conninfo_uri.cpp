#include <algorithm>
#include <charconv>

#include "proto/pg/conninfo_syntax.h"

namespace ringpost::proto::pg {

namespace {

using Failure = std::unexpected<std::string>;

// `part` names the text in the error, which does not show it. Blanks around it are left out, as
// libpq does it since PostgreSQL 18.
std::expected<std::string, std::string> decode(std::string_view text, std::string_view part) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  if (text.contains(' '))
    return Failure("the URI's " + std::string(part) + " has a blank, which is written %20");
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned char value = 0;
    const char* digits = text.data() + i + 1;
    if (text.size() - i < 3 || std::from_chars(digits, digits + 2, value, 16).ptr != digits + 2 ||
        value == 0)
      return Failure("the URI's " + std::string(part) +
                     " has a % that begins no percent-encoded character (a % itself is written "
                     "%25)");
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

// One that is left out sets nothing: what else sets it still counts.
std::expected<void, std::string> store_part(Settings& settings, std::string_view name,
                                            std::string_view text) {
  if (text.empty()) return {};
  auto decoded = decode(text, name);
  if (!decoded) return Failure(decoded.error());
  return store(settings, name, std::move(*decoded), true);
}

// Takes what stands before the first of `ends` off `rest`.
std::string_view take_until(std::string_view& rest, std::string_view ends) {
  const std::string_view taken = rest.substr(0, rest.find_first_of(ends));
  rest.remove_prefix(taken.size());
  return taken;
}

bool take(std::string_view& rest, char c) {
  if (!rest.starts_with(c)) return false;
  rest.remove_prefix(1);
  return true;
}

std::expected<std::string_view, std::string> take_host(std::string_view& rest) {
  if (!take(rest, '[')) return take_until(rest, ":/?,");
  const std::string_view address = take_until(rest, "]");
  if (!take(rest, ']')) return Failure("an address of the URI has no closing ]");
  if (address.empty()) return Failure("an address of the URI is empty between [ and ]");
  if (!rest.empty() && !std::string_view(":/?,").contains(rest.front()))
    return Failure("what follows a ] of the URI is neither : nor / nor ? nor a comma");
  return address;
}

// host[:port],... becomes two lists, which are decoded as wholes: a %2C separates too.
std::expected<void, std::string> take_hosts(std::string_view& rest, Settings& settings) {
  std::string hosts, ports;
  for (;;) {
    const auto host = take_host(rest);
    if (!host) return Failure(host.error());
    hosts += *host;
    if (take(rest, ':')) ports += take_until(rest, "/?,");
    if (!take(rest, ',')) break;
    hosts += ',';
    ports += ',';
  }
  if (auto stored = store_part(settings, "host", hosts); !stored) return stored;
  return store_part(settings, "port", ports);
}

std::expected<void, std::string> parse_query(std::string_view query, Settings& settings) {
  // An @ is the end of a user and a password that have a / in them, so that they were not seen.
  bool may_show = !query.contains('@');
  while (!query.empty()) {
    std::string_view value = take_until(query, "&");
    take(query, '&');
    const std::string_view name = take_until(value, "=");
    if (!take(value, '=')) return Failure("a parameter of the URI has no value; write name=value");
    if (value.contains('='))
      return Failure("a parameter of the URI has two =; one in a value is written %3D");
    auto decoded_name = decode(name, "query"), decoded = decode(value, "query");
    if (!decoded_name || !decoded)
      return Failure(decoded_name ? decoded.error() : decoded_name.error());
    // As JDBC has it.
    if (*decoded_name == "ssl" && *decoded == "true") {
      *decoded_name = "sslmode";
      *decoded = "require";
    }
    if (auto stored = store(settings, *decoded_name, std::move(*decoded), may_show); !stored)
      return stored;
    may_show &= !find_keyword(*decoded_name) || !find_keyword(*decoded_name)->secret;
  }
  return {};
}

}  // namespace

std::expected<void, std::string> parse_uri(std::string_view text, Settings& settings) {
  // The first @ ends user and password if no / stands before it; a ? or a comma is theirs.
  if (const size_t end = text.find_first_of("@/"); end < text.size() && text[end] == '@') {
    std::string_view password = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (auto stored = store_part(settings, "user", take_until(password, ":")); !stored)
      return stored;
    take(password, ':');
    if (auto stored = store_part(settings, "password", password); !stored) return stored;
  }
  if (auto taken = take_hosts(text, settings); !taken) return taken;
  if (take(text, '/'))
    if (auto stored = store_part(settings, "dbname", take_until(text, "?")); !stored) return stored;
  take(text, '?');
  return parse_query(text, settings);
}

}  // namespace ringpost::proto::pg
