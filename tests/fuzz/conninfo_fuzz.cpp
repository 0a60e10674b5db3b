// Invariant: a connection string is refused in one printable line, or gives at least one host with
// a port; and what it gave, written down as keywords, gives the same again.
#include <algorithm>
#include <cstdlib>

#include "proto/pg/conninfo.h"
#include "tests/support/pg_messages.h"

namespace ringpost {
namespace {

using namespace proto::pg;

void require(bool holds) {
  if (!holds) std::abort();
}

std::expected<Conninfo, std::string> parse(std::string_view text) {
  return parse_conninfo(text, {.lookup = [](const std::string&) { return std::nullopt; },
                               .os_user = "os",
                               .application_name = "program"});
}

std::string keyword(std::string_view name, std::string_view value) {
  std::string text = std::string(name) + "='";
  for (const char c : value) {
    if (c == '\'' || c == '\\') text += '\\';
    text += c;
  }
  return text + "' ";
}

std::string written(const Conninfo& conninfo) {
  std::string names, addresses, ports;
  for (const Host& host : conninfo.hosts) {
    names += host.name + ",";
    addresses += host.address + ",";
    ports += std::to_string(host.port) + ",";
  }
  const auto without_last = [](std::string list) { return list.substr(0, list.size() - 1); };
  const auto only_commas = [](const std::string& list) {
    return list.find_first_not_of(',') == std::string::npos;
  };
  static constexpr std::string_view modes[] = {"disable", "allow",     "prefer",
                                               "require", "verify-ca", "verify-full"};
  std::string text = keyword("port", without_last(ports)) + keyword("user", conninfo.user) +
                     keyword("password", conninfo.password) + keyword("dbname", conninfo.dbname) +
                     keyword("application_name", conninfo.application_name) +
                     keyword("options", conninfo.options) +
                     keyword("sslmode", modes[static_cast<size_t>(conninfo.sslmode)]);
  if (!only_commas(names)) text += keyword("host", without_last(names));
  if (!only_commas(addresses)) text += keyword("hostaddr", without_last(addresses));
  if (conninfo.connect_timeout)
    text += keyword("connect_timeout", std::to_string(conninfo.connect_timeout->count()));
  return text;
}

bool same(const Conninfo& a, const Conninfo& b) {
  const auto same_host = [](const Host& one, const Host& other) {
    return one.name == other.name && one.address == other.address && one.port == other.port;
  };
  return a.user == b.user && a.password == b.password && a.dbname == b.dbname &&
         a.application_name == b.application_name && a.options == b.options &&
         a.connect_timeout == b.connect_timeout && a.sslmode == b.sslmode &&
         std::equal(a.hosts.begin(), a.hosts.end(), b.hosts.begin(), b.hosts.end(), same_host);
}

}  // namespace
}  // namespace ringpost

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringpost;
  const tests::Exact input({reinterpret_cast<const char*>(data), size});
  const auto conninfo = parse(input.view());
  if (!conninfo) {
    const std::string& why = conninfo.error();
    require(!why.empty() && std::none_of(why.begin(), why.end(),
                                         [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; }));
    return 0;
  }
  require(!conninfo->hosts.empty() && !conninfo->user.empty() && !conninfo->dbname.empty());
  for (const Host& host : conninfo->hosts)
    require(host.port != 0 && !(host.name.empty() && host.address.empty()));
  const auto again = parse(written(*conninfo));
  require(again && same(*conninfo, *again));
  return 0;
}
