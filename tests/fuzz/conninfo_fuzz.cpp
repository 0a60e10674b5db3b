// Invariant: a connection string is refused in one printable line, or gives settings which written
// down as keywords give the same again, each as libpq reads it (where it is linked); and they mean
// at least one host with a port. The same holds for the input as a service file and a password
// file.
#include <algorithm>
#include <cstdlib>

#include "proto/pg/conninfo_files.h"
#include "proto/pg/conninfo_settings.h"
#include "tests/support/pg_messages.h"
#ifdef HAVE_LIBPQ
#include "tests/support/libpq.h"
#endif

namespace ringpost {
namespace {

using namespace proto::pg;

void require(bool holds) {
  if (!holds) std::abort();
}

void require_line(const std::string& why) {
  require(!why.empty() && std::none_of(why.begin(), why.end(),
                                       [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; }));
}

std::string written(const Settings& settings) {
  std::string text;
  for (const Keyword& one : keywords()) {
    const Setting* setting = settings.find(one.name);
    if (setting == nullptr) continue;
    text.append(one.name).append("='");
    for (const char c : setting->value) {
      if (c == '\'' || c == '\\') text += '\\';
      text += c;
    }
    text += "' ";
  }
  return text;
}

void check_meaning(std::string_view text, const ConninfoContext& context) {
  const auto conninfo = parse_conninfo(text, context);
  if (!conninfo) return require_line(conninfo.error());
  require(!conninfo->hosts.empty() && !conninfo->user.empty() && !conninfo->dbname.empty());
  for (const Host& host : conninfo->hosts)
    require(host.port != 0 && !(host.name.empty() && host.address.empty()));
  const auto lines = explain_conninfo(text, context);
  require(lines && lines->ends_with(")\n"));
}

}  // namespace
}  // namespace ringpost

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringpost;
  const tests::Exact input({reinterpret_cast<const char*>(data), size});
  const std::string text(input.view());
  ConninfoContext context{.lookup = [](const std::string&) { return std::nullopt; },
                          .file_status = {},
                          .read_file = {},
                          .home = "/home",
                          .os_user = "os",
                          .application_name = "program"};
  check_meaning(input.view(), context);
  const auto settings = parse_connection_string(input.view());
  if (settings) {
    const auto again = parse_connection_string(written(*settings));
    require(again && written(*again) == written(*settings));
  } else {
    require_line(settings.error());
  }
#ifdef HAVE_LIBPQ
  require(tests::difference(text.c_str()).empty());
#endif

  context.file_status = [](const std::string&) {
    return std::filesystem::file_status(std::filesystem::file_type::regular,
                                        std::filesystem::perms::owner_read);
  };
  context.read_file = [&text](const std::string&) { return std::optional(text); };
  check_meaning("service=s", context);
  check_meaning("host=h", context);
  return 0;
}
