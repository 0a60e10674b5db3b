#include "src/pg/cancel.h"

#include "proto/pg/frontend.h"
#include "src/pg/session.h"

namespace ringpost::pg {

io::Task<void> cancel_running(Connector& connector, io::Address peer, proto::pg::BackendKeyData key,
                              io::Until until) {
  Session own(connector.reactor(), connector.buffers());
  const Result<void> reached = co_await connector.reach(own, peer, until);
  if (!reached) co_return;
  proto::pg::encode_cancel_request(own.out(), key);
  own.send();
  auto reading = own.read(until);  // the server closes when it has taken the request
  const io::Result<std::string_view> nothing = co_await reading;
  (void)nothing;
  co_await own.close();
}

}  // namespace ringpost::pg
