#include "src/pg/cancel.h"

#include <utility>

#include "proto/pg/frontend.h"
#include "src/pg/session.h"

namespace ringpost::pg {

io::Task<void> cancel_running(Connector& connector, Peer peer, proto::pg::BackendKeyData key,
                              io::Until until) {
  Session own(connector.reactor(), connector.buffers());
  const Result<void> reached = co_await connector.reach(own, std::move(peer), until);
  if (!reached) co_return;
  proto::pg::encode_cancel_request(own.out(), key);
  own.send();
  for (bool taken = false; !taken;) {  // the server closes when it has taken the request
    auto reading = own.read(until);
    const io::Result<std::string_view> nothing = co_await reading;
    taken = !nothing || !nothing->empty();
  }
  co_await own.close();
}

}  // namespace ringpost::pg
