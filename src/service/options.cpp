#include "src/service/options.h"

#include <charconv>

#include "src/service/decimal.h"

namespace ringpost::service {

CLI::Validator decimal(uint64_t least, uint64_t most) {
  return CLI::Validator(
      [least, most](const std::string& text) -> std::string {
        uint64_t value = 0;
        const char* end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data(), end, value);
        const bool leading_zero = text.size() > 1 && text.front() == '0';
        if (error == std::errc() && stop == end && !leading_zero && value >= least && value <= most)
          return "";
        return text + " is no number from " + std::to_string(least) + " to " +
               std::to_string(most) + " in decimal digits only, without a leading 0";
      },
      "");
}

CLI::Validator truth() {
  return CLI::Validator(
      [](const std::string& text) -> std::string {
        const std::string lower = CLI::detail::to_lower(text);
        for (const char* known : {"true", "false", "yes", "no", "on", "off", "1", "0"})
          if (lower == known) return "";
        return text + " is neither true nor false";
      },
      "");
}

Options& Options::number(const std::string& name, const std::string& variable, uint64_t& value,
                         uint64_t least, uint64_t most, const std::string& what) {
  app_.add_option(name, value, what)
      ->envname(variable)
      ->check(decimal(least, most))
      ->type_name("N")
      ->capture_default_str()
      ->group(group_);
  return *this;
}

Options& Options::time(const std::string& name, const std::string& variable,
                       std::chrono::milliseconds& value, const std::string& what, uint64_t least) {
  app_.add_option_function<int64_t>(
          name, [&value](int64_t milliseconds) { value = std::chrono::milliseconds(milliseconds); },
          what)
      ->envname(variable)
      ->check(decimal(least, 86'400'000))
      ->type_name("MILLISECONDS")
      ->default_str(std::to_string(value.count()))
      ->group(group_);
  return *this;
}

Options& Options::flag(const std::string& name, const std::string& variable, bool& value,
                       const std::string& what) {
  app_.add_flag(name + ",!--no-" + name.substr(2), value, what)
      ->envname(variable)
      ->check(truth())
      ->default_str(value ? "true" : "false")
      ->group(group_);
  return *this;
}

Options& Options::text(const std::string& name, const std::string& variable, std::string& value,
                       const std::string& type, const std::string& what) {
  app_.add_option(name, value, what)
      ->envname(variable)
      ->type_name(type)
      ->capture_default_str()
      ->group(group_);
  return *this;
}

}  // namespace ringpost::service
