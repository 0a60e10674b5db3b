#include "src/pg/environment.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include <pwd.h>
#include <unistd.h>

namespace ringpost::pg {

namespace {

std::string os_user() {
  const passwd* entry = getpwuid(geteuid());
  return entry != nullptr ? entry->pw_name : "postgres";
}

std::string home_folder() {
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') return home;
  const passwd* entry = getpwuid(geteuid());
  return entry != nullptr ? entry->pw_dir : "";
}

std::filesystem::file_status file_status(const std::string& path) {
  std::error_code error;
  return std::filesystem::status(path, error);
}

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::optional<std::string> variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

}  // namespace

proto::pg::ConninfoContext files_of_process() {
  proto::pg::ConninfoContext context;
  context.file_status = file_status;
  context.read_file = read_file;
  return context;
}

proto::pg::ConninfoContext context_of_process(std::string application_name) {
  return {.lookup = variable,
          .file_status = file_status,
          .read_file = read_file,
          .home = home_folder(),
          .os_user = os_user(),
          .application_name = std::move(application_name)};
}

}  // namespace ringpost::pg
