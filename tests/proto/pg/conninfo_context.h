// What connection strings are read with in tests: an environment and files in memory.
#pragma once

#include <map>
#include <string>

#include "proto/pg/conninfo_settings.h"

namespace ringpost::proto::pg {

using Environment = std::map<std::string, std::string>;

struct MemoryFile {
  std::string text;
  int mode = 0600;
  std::filesystem::file_type type = std::filesystem::file_type::regular;
};
using Files = std::map<std::string, MemoryFile>;

inline ConninfoContext context_of(Environment environment = {}, Files files = {}) {
  return {.lookup = [environment](const std::string& name) -> std::optional<std::string> {
            const auto found = environment.find(name);
            return found == environment.end() ? std::nullopt : std::optional(found->second);
          },
          .file_status =
              [files](const std::string& path) {
                const auto found = files.find(path);
                return found == files.end()
                           ? std::filesystem::file_status(std::filesystem::file_type::not_found)
                           : std::filesystem::file_status(
                                 found->second.type,
                                 static_cast<std::filesystem::perms>(found->second.mode));
              },
          .read_file = [files](const std::string& path) -> std::optional<std::string> {
            const auto found = files.find(path);
            return found == files.end() ? std::nullopt : std::optional(found->second.text);
          },
          .home = "/home/u",
          .os_user = "osuser",
          .application_name = "program"};
}

// The settings that are there, in libpq's order, as name=value with blanks between; or the error.
inline std::string summary(const std::expected<Settings, std::string>& settings) {
  if (!settings) return "error: " + settings.error();
  std::string text;
  for (const Keyword& one : keywords())
    if (const Setting* setting = settings->find(one.name))
      text.append(text.empty() ? "" : " ").append(one.name).append("=").append(setting->value);
  return text;
}

struct SettingsCase {
  std::string_view text, expected;
};

}  // namespace ringpost::proto::pg
