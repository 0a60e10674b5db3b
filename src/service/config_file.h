// ConfigFile: settings from a file, for CLI11's --config: TOML, each setting on the top level under
// its option's long name (`db-max-conns = 20`). And such a file with all of them, for
// --print-config.
//
// The command line wins over the environment, the environment over the file, the file over the
// defaults. CLI11 by itself would let the file win over the environment.
//
// What it is given is read at once and not kept. `app` outlives it.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace ringpost::service {

class ConfigFile : public CLI::Config {
 public:
  // `others_are_fine`: settings that `app` does not know are passed over.
  explicit ConfigFile(const CLI::App& app, bool others_are_fine = false)
      : app_(app), others_are_fine_(others_are_fine) {}

  // Settings that neither the command line nor the environment has. Throws CLI::ConfigError, which
  // names file and line: no TOML, no such setting, one for the command line alone, a value that is
  // neither text nor a whole number nor true or false.
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override;

  // Every setting of `app` with what it means, its variable and its default, in a comment each.
  std::string to_config(const CLI::App* app, bool, bool, std::string) const override;

 private:
  const CLI::App& app_;
  const bool others_are_fine_;
};

}  // namespace ringpost::service
