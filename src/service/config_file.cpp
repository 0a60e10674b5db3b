#include "src/service/config_file.h"

#include <algorithm>
#include <cstdlib>
#include <istream>
#include <iterator>
#include <sstream>
#include <string_view>
#include <utility>

// TOML whole, and lines in its errors: CLI11's own reader cuts a password at its #. Headers alone,
// where a distribution's flags ask for its shared library: one less to ship.
#undef TOML_HEADER_ONLY
#undef TOML_SHARED_LIB
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

namespace ringpost::service {

namespace {

constexpr size_t columns = 100;

// Text as lines of a comment, broken between words.
std::string comment(std::string_view text) {
  std::istringstream words{std::string(text)};
  std::string lines, line = "#";
  for (std::string word; words >> word;) {
    if (line.size() + 1 + word.size() > columns) {
      lines += line + '\n';
      line = "#";
    }
    line += ' ' + word;
  }
  return lines + line + '\n';
}

// A default as TOML has it, by what it looks like: numbers and truth values bare, text in quotes.
std::string toml_value(const std::string& text) {
  const bool number = !text.empty() && std::all_of(text.begin(), text.end(),
                                                   [](char c) { return c >= '0' && c <= '9'; });
  if (number || text == "true" || text == "false") return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

std::string setting(const CLI::Option& option) {
  std::string about = option.get_description();
  if (!option.get_envname().empty()) about += " [" + option.get_envname() + "]";
  const std::string value = option.get_default_str();
  return '\n' + comment(about) + '#' + option.get_single_name() + " = " +
         (value.empty() ? '<' + option.get_type_name() + '>' : toml_value(value)) + '\n';
}

bool is_in_environment(const CLI::Option& option) {
  if (option.get_envname().empty()) return false;
  const char* value = std::getenv(option.get_envname().c_str());
  return value != nullptr && *value != '\0';  // as CLI11 judges it
}

// Nothing where it is no plain value. A mode has its digits as they stand there: 0o660 is 660, as
// 660 is, and not the 432 that it comes to.
std::string text_of(const toml::node& node, bool mode) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) {
    std::ostringstream digits;
    if (mode && number->flags() == toml::value_flags::format_as_octal) digits << std::oct;
    digits << number->get();
    return digits.str();
  }
  if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
  return "";
}

bool is_plain(const toml::node& node) {
  return node.is_string() || node.is_integer() || node.is_boolean();
}

}  // namespace

std::vector<CLI::ConfigItem> ConfigFile::from_config(std::istream& input) const {
  const auto& files = app_.get_config_ptr()->results();
  const std::string file = files.empty() ? "--config" : files.back();
  const auto fail = [&file](auto line, const std::string& why) {
    throw CLI::ConfigError(file + ", line " + std::to_string(line) + ": " + why);
  };
  std::vector<CLI::ConfigItem> found;
  try {
    // Whole first: the parser seeks, which is silently in vain in a pipe.
    const std::string text{std::istreambuf_iterator<char>(input), {}};
    const toml::table table = toml::parse(std::string_view(text));
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      const auto line = key.source().begin.line;
      const CLI::Option* option = app_.get_option_no_throw("--" + name);
      const bool known = option != nullptr && option->get_single_name() == name;
      if (!known && others_are_fine_) continue;
      if (!known)
        fail(line, "there is no setting '" + name + "'; " + app_.get_name() +
                       " --print-config lists them");
      if (!option->get_configurable()) fail(line, "'" + name + "' is for the command line alone");
      if (!is_plain(node))
        fail(line, "'" + name + "' is neither text nor a whole number nor true or false");
      if (is_in_environment(*option)) continue;
      CLI::ConfigItem item;
      item.name = name;
      item.inputs = {text_of(node, option->get_type_name() == "MODE")};
      found.push_back(std::move(item));
    }
  } catch (const toml::parse_error& error) {
    fail(error.source().begin.line, std::string(error.description()));
  }
  return found;
}

std::string ConfigFile::to_config(const CLI::App* app, bool, bool, std::string) const {
  std::string text = "# Settings of " + app->get_name() +
                     ", as TOML: what stands in a comment is the default.\n"
                     "# The command line wins over the environment (the variable in brackets), the "
                     "environment over this file.\n";
  for (const std::string& group : app->get_groups()) {
    std::string settings;
    for (const CLI::Option* option : app->get_options([&group](const CLI::Option* each) {
           return each->get_group() == group && each->get_configurable();
         }))
      settings += setting(*option);
    if (!settings.empty()) text.append("\n## ").append(group).append("\n").append(settings);
  }
  return text;
}

}  // namespace ringpost::service
