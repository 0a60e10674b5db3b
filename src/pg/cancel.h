// Cancelling what a session is running (PostgreSQL 18 documentation, 54.2.8 "Canceling Requests in
// Progress").
#pragma once

#include "src/io/task.h"
#include "src/pg/connect.h"
#include "src/pg/session.h"

namespace ringpost::pg {

// Asks the server of `session` to, over a connection of its own, and waits until it has taken the
// request, or until it is time to give that up. Whether the statement ended is not said.
io::Task<void> cancel_running(Connector& connector, const Session& session, io::Until until);

}  // namespace ringpost::pg
