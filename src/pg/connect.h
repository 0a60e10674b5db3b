// Connector: from the hosts of a connection string to a session, as libpq walks them. A shard has
// one for all its connections.
#pragma once

#include <expected>
#include <random>
#include <string>
#include <vector>

#include "proto/pg/conninfo.h"
#include "src/io/address.h"
#include "src/io/buffer_group.h"
#include "src/io/reactor.h"
#include "src/pg/crypto.h"
#include "src/pg/encryption.h"
#include "src/pg/error.h"
#include "src/pg/options.h"
#include "src/pg/scram_keys.h"
#include "src/pg/session.h"

namespace ringpost::pg {

class Connector {
 public:
  // All arguments outlive it.
  Connector(io::Reactor& reactor, io::BufferGroup& buffers, const Options& options)
      : reactor_(reactor),
        buffers_(buffers),
        options_(options),
        encryption_(options.conninfo),
        keys_(reactor, openssl_crypto()) {}

  // Opens `session` with the first host that has one for us, to the end of its start; each address
  // has connect_timeout. On failure nothing is left open.
  io::Task<Result<void>> connect(Session& session, io::Until until);
  // Opens it to where `peer` is, for whatever is said first: by TLS where it is encrypted.
  io::Task<Result<void>> reach(Session& session, Peer peer, io::Until until);

  // The time of one step: no more than the whole, and its own.
  io::Until attempt(io::Until until) const;
  io::Reactor& reactor() const { return reactor_; }
  io::BufferGroup& buffers() const { return buffers_; }

 private:
  io::Task<io::Result<std::vector<io::Address>>> addresses_of(const proto::pg::Host& host,
                                                              io::Until until);

  // Why there is no session at one address.
  struct Refusal {
    Error error;
    bool ends_walk = false;  // no other host would say something else, or this is worth hearing
    bool other_way = false;  // it may be otherwise with TLS, or without
  };
  using Attempt = std::expected<void, Refusal>;
  static std::unexpected<Refusal> refused(std::string why, bool ends_walk = false,
                                          bool other_way = false);
  // reach.cpp. To the end of the start, by each way that sslmode allows for.
  io::Task<Attempt> connect_to(Session& session, const proto::pg::Host& host, io::Address address,
                               io::Until until);
  io::Task<Attempt> connect_by(Way way, Session& session, const proto::pg::Host& host,
                               io::Address address, io::Until until);
  io::Task<Attempt> reach_by(Way way, Session& session, Peer peer, io::Until until);
  io::Task<Attempt> encrypt(Way way, Session& session, io::Until until);
  io::Task<std::expected<bool, Refusal>> ask_for_tls(Session& session, io::Until until);
  io::Task<Attempt> start(Session& session, const proto::pg::Host& host, io::Until until);

  io::Reactor& reactor_;
  io::BufferGroup& buffers_;
  const Options& options_;
  Encryption encryption_;
  ScramKeys keys_;
  std::minstd_rand random_{std::random_device{}()};  // for load_balance_hosts
};

}  // namespace ringpost::pg
