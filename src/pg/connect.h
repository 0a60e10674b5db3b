// Connector: from the hosts of a connection string to a session, as libpq walks them. A shard has
// one for all its connections.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "proto/pg/conninfo.h"
#include "src/io/address.h"
#include "src/io/buffer_group.h"
#include "src/io/reactor.h"
#include "src/pg/error.h"
#include "src/pg/options.h"
#include "src/pg/prepared.h"
#include "src/pg/session.h"

namespace ringpost::pg {

class Connector {
 public:
  // All arguments outlive it.
  Connector(io::Reactor& reactor, io::BufferGroup& buffers, const Options& options)
      : reactor_(reactor), buffers_(buffers), options_(options) {}

  // Opens `session` with the first host that has one for us, to the end of its start; each address
  // has connect_timeout. On failure nothing is left open.
  io::Task<Result<void>> connect(Session& session, io::Until until);
  // Opens it at `address`, for whatever is said first: the start, or a CancelRequest.
  io::Task<Result<void>> reach(Session& session, io::Address address, io::Until until);

  // The time of one step: no more than the whole, and its own.
  io::Until attempt(io::Until until) const;
  // Of all sessions that it opens.
  StatementNames& names() { return names_; }
  io::Reactor& reactor() const { return reactor_; }
  io::BufferGroup& buffers() const { return buffers_; }

 private:
  io::Task<io::Result<std::vector<io::Address>>> addresses_of(const proto::pg::Host& host,
                                                              io::Until until);
  io::Task<Result<void>> connect_to(Session& session, io::Address address, io::Until until);
  io::Task<Result<void>> start(Session& session, io::Until until);

  io::Reactor& reactor_;
  io::BufferGroup& buffers_;
  const Options& options_;
  StatementNames names_;
  bool walk_ends_ = false;  // what was heard last would be no other elsewhere
  std::minstd_rand random_{std::random_device{}()};  // for load_balance_hosts
};

}  // namespace ringpost::pg
