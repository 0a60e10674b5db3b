// Cancelling what a session is running (PostgreSQL 18 documentation, 54.2.8 "Canceling Requests in
// Progress").
#pragma once

#include "proto/pg/backend.h"
#include "src/io/task.h"
#include "src/pg/connect.h"
#include "src/pg/session.h"

namespace ringpost::pg {

// Asks the server at `peer` to, over a connection of its own (by TLS where the session is), and
// waits until it has taken the request, or until it is time to give that up. Whether the statement
// ended is not said; which one it is neither: whatever that session runs when the request arrives.
// By value: the session may be over by then.
io::Task<void> cancel_running(Connector& connector, Peer peer, proto::pg::BackendKeyData key,
                              io::Until until);

}  // namespace ringpost::pg
