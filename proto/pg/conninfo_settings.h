// The settings of a connection as text, before they mean anything: the table of those that libpq
// knows (PostgreSQL 18), and the values that were given for one connection, each with its source.
//
// The way of a connection string: parse_connection_string, add_defaults (to here it is libpq's
// PQconninfoParse and the defaults of PQconnectdb), conninfo_of, check_kept.
#pragma once

#include <expected>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "proto/pg/conninfo.h"
#include "proto/wire/wipe.h"

namespace ringpost::proto::pg {

struct Keyword {
  std::string_view name;
  const char* variable = nullptr;  // of the environment
  const char* fallback = nullptr;  // libpq's default
  // What a value needs that this client has not; empty: all values are kept.
  std::string_view missing = {};
  // Those that are kept all the same, as they ask for nothing: parted by blanks.
  std::string_view harmless = {};
  bool secret = false;  // never shown
};

// In libpq's order.
std::span<const Keyword> keywords();
const Keyword* find_keyword(std::string_view name);

struct Setting {
  enum class Source : uint8_t { string, service, environment, fallback };

  std::string value;  // wiped: it may be a secret
  Source source = Source::string;
  std::string where = {};  // the service's name, the variable's

  ~Setting() { wire::wipe(value); }

  // "string", "service orders", "environment PGHOST", "default".
  std::string origin() const;
};

// By name; the names are those of the table.
class Settings {
 public:
  // False when libpq knows no such setting. Replaces what there is.
  bool set(std::string_view name, Setting setting);
  // The same, where there is none yet.
  bool add(std::string_view name, Setting setting);

  const Setting* find(std::string_view name) const;
  // An empty value is as good as none.
  std::string value(std::string_view name, std::string_view otherwise = "") const;
  // For messages: the name, and where the value is from if it is not from the string.
  std::string label(std::string_view name) const;

 private:
  std::map<std::string_view, Setting> settings_;
};

// What the string itself says.
std::expected<Settings, std::string> parse_connection_string(std::string_view text);

// Its service's settings, the environment's and the defaults, where it says nothing.
std::expected<void, std::string> add_defaults(Settings& settings, const ConninfoContext& context);

// Both of these.
std::expected<Settings, std::string> read_settings(std::string_view text,
                                                   const ConninfoContext& context);

// What the settings mean; reads the password file when no password is given.
std::expected<Conninfo, std::string> conninfo_of(const Settings& settings,
                                                 const ConninfoContext& context);

// Refuses, by name, the first setting that asks for what this client does not do.
std::expected<void, std::string> check_kept(const Settings& settings);

// In single quotes, for messages, which are one line whatever the text has in it.
std::string quote(std::string_view text);

}  // namespace ringpost::proto::pg
