// Options: the settings of a process as they are declared: each an option, an environment variable,
// a check of what may stand there, and a line of --help.
//
// What `value` refers to outlives the reading of the command line, which sets it; what it holds
// before is the default, and is shown as that.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace CLI {
class App;
}

namespace ringpost::service {

class Options {
 public:
  // What is added is listed below this heading.
  Options(CLI::App& app, std::string group) : app_(app), group_(std::move(group)) {}

  // `name` as "--some-name", `variable` as "SOME_NAME".
  // A number from `least` to `most`, in decimal digits.
  Options& number(const std::string& name, const std::string& variable, uint64_t& value,
                  uint64_t least, uint64_t most, const std::string& what);
  // Milliseconds, a day at most.
  Options& time(const std::string& name, const std::string& variable,
                std::chrono::milliseconds& value, const std::string& what, uint64_t least = 1);
  // `--no-some-name` and SOME_NAME=false say no.
  Options& flag(const std::string& name, const std::string& variable, bool& value,
                const std::string& what);
  // `type`: what stands for it in --help, as "FOLDER".
  Options& text(const std::string& name, const std::string& variable, std::string& value,
                const std::string& type, const std::string& what);

 private:
  CLI::App& app_;
  std::string group_;
};

}  // namespace ringpost::service
