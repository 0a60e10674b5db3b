// What libpq makes of a connection string: the oracle for proto/pg/conninfo. The libpq that is
// linked may be older than the table there, or younger.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include <libpq-fe.h>

#include "proto/pg/conninfo_settings.h"

namespace ringpost::tests {

// By the names of settings.
using LibpqSettings = std::map<std::string, std::string>;

// Frees `options`; null is no settings at all.
inline std::optional<LibpqSettings> take_settings(PQconninfoOption* options) {
  if (options == nullptr) return std::nullopt;
  const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> owner(options,
                                                                             PQconninfoFree);
  LibpqSettings settings;
  for (const PQconninfoOption* one = options; one->keyword != nullptr; ++one)
    if (one->val != nullptr) settings[one->keyword] = one->val;
  return settings;
}

// What a string says by itself, or nothing when libpq refuses it.
inline std::optional<LibpqSettings> libpq_parse(const std::string& text) {
  char* error = nullptr;
  auto settings = take_settings(PQconninfoParse(text.c_str(), &error));
  PQfreemem(error);
  return settings;
}

// Whether libpq knows the setting: the one that is linked, which may be of an earlier release.
inline bool libpq_knows(std::string_view name) {
  static const std::string names = [] {
    std::string all(" ");
    PQconninfoOption* options = PQconndefaults();
    for (const PQconninfoOption* one = options; one->keyword != nullptr; ++one)
      all.append(one->keyword).append(" ");
    PQconninfoFree(options);
    return all;
  }();
  return names.contains(" " + std::string(name) + " ");
}

// How ringpost and libpq differ about a string; empty: they don't.
inline std::string difference(const std::string& text) {
  // Blanks in URIs have their meaning since PostgreSQL 18.
  if (PQlibVersion() < 180000 && text.contains("://") && text.contains(' ')) return "";
  const auto ours = proto::pg::parse_connection_string(text);
  const auto theirs = libpq_parse(text);
  if (!ours) {
    bool only_theirs = false;  // a setting of a later release
    if (theirs)
      for (const auto& [name, value] : *theirs)
        only_theirs |= proto::pg::find_keyword(name) == nullptr;
    return theirs && !only_theirs ? "libpq takes it, ringpost says: " + ours.error() : "";
  }
  for (const proto::pg::Keyword& one : proto::pg::keywords()) {
    const proto::pg::Setting* setting = ours->find(one.name);
    if (setting != nullptr && !libpq_knows(one.name))
      return theirs ? "libpq takes " + std::string(one.name) : "";
  }
  if (!theirs) return "libpq refuses it, ringpost takes it";
  for (const proto::pg::Keyword& one : proto::pg::keywords()) {
    const proto::pg::Setting* setting = ours->find(one.name);
    const auto found = theirs->find(std::string(one.name));
    const std::string our_value = setting == nullptr ? "unset" : "'" + setting->value + "'";
    const std::string their_value = found == theirs->end() ? "unset" : "'" + found->second + "'";
    if (our_value != their_value)
      return std::string(one.name) + ": libpq " + their_value + ", ringpost " + our_value;
  }
  return "";
}

}  // namespace ringpost::tests
