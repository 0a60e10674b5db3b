// The two files that hold parts of connection strings: connection services and passwords
// (PostgreSQL 18 documentation, 32.17 and 32.16). Text in, settings out; nothing is opened here.
//
//     [orders]                                 # pg_service.conf
//     host=db.example
//
//     db.example:5432:shop:alice:secret        # .pgpass: host, port, database, user, password; *
//     is any
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "proto/pg/conninfo_settings.h"

namespace ringpost::proto::pg {

// Adds the settings of the first group [service] in `text`, and says whether there is one. `path`
// is for the error.
std::expected<bool, std::string> add_service(Settings& settings, std::string_view text,
                                             const std::string& service, const std::string& path);

// The password of the first line in `text` that fits.
std::optional<std::string> find_password(std::string_view text, std::string_view host,
                                         std::string_view port, std::string_view dbname,
                                         std::string_view user);

}  // namespace ringpost::proto::pg
