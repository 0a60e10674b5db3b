// Servers that say what they are, for tests of several hosts.
#pragma once

#include <string>
#include <string_view>

#include "tests/pg/pool_client.h"

namespace ringpost::pg {

using Wanted = proto::pg::Conninfo::TargetSession;

// ParameterStatus.
inline std::string status(std::string_view name, std::string_view value) {
  return tests::message('S', tests::cstring(name) + tests::cstring(value));
}

inline const std::string authentication_ok = "R\0\0\0\x08\0\0\0\0"s;

// What a session of PostgreSQL 14 and newer begins with.
inline std::string welcome_of(std::string_view in_hot_standby, std::string_view read_only = "off") {
  return authentication_ok + status("in_hot_standby", in_hot_standby) +
         status("default_transaction_read_only", read_only) +
         welcome.substr(authentication_ok.size());
}
inline const std::string as_primary = welcome_of("off"), as_standby = welcome_of("on"),
                         as_read_only = welcome_of("off", "on");

// A session that is begun, and ended by the client: for a look, or as it is not what was asked for.
inline Script looked_at(std::string_view as) {
  return {expect(startup_message), send(std::string(as)), expect(terminate), expect_end()};
}
// One that is used: up to its prepared statements.
inline Script used(std::string_view as) {
  return Script{expect(startup_message), send(std::string(as)),
                expect(prepare_find + sync + prepare_add + sync),
                send(prepared + ready + prepared + ready)};
}

// A client of two or more hosts, in this order.
inline std::function<void(Options&)> at_hosts(std::vector<const ScriptedPostgres*> servers,
                                              Wanted wanted,
                                              std::function<void(Options&)> more = nullptr) {
  return [servers = std::move(servers), wanted, more = std::move(more)](Options& options) {
    options.conninfo.hosts.clear();
    for (const ScriptedPostgres* server : servers) options.conninfo.hosts.push_back(server->host());
    options.conninfo.target_session_attrs = wanted;
    options.hosts = {.first = 20ms, .last = 20ms, .other_role = 60s, .settled = 50ms};
    if (more) more(options);
  };
}

}  // namespace ringpost::pg
