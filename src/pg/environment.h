// What a process knows that a connection string may leave out, as libpq takes it: the PG*
// variables, the user's name and folder, the password file and the service files.
#pragma once

#include <string>

#include "proto/pg/conninfo.h"

namespace ringpost::pg {

// Reads files and variables when it is used, not now.
proto::pg::ConninfoContext context_of_process(std::string application_name);
// The same for files alone: no variable is looked up.
proto::pg::ConninfoContext files_of_process();

}  // namespace ringpost::pg
