// Connector: from the hosts of a connection string to a session, as libpq walks them, in the order
// that what is known of them suggests (hosts.h). A shard has one for all its connections.
//
// Names are looked up anew for each walk.
#pragma once

#include <expected>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/pg/conninfo.h"
#include "src/io/address.h"
#include "src/io/buffer_group.h"
#include "src/io/reactor.h"
#include "src/pg/crypto.h"
#include "src/pg/encryption.h"
#include "src/pg/error.h"
#include "src/pg/hosts.h"
#include "src/pg/options.h"
#include "src/pg/passwords.h"
#include "src/pg/prepared.h"
#include "src/pg/scram_keys.h"
#include "src/pg/session.h"

namespace ringpost::pg {

class Connector {
 public:
  // All arguments outlive it.
  Connector(io::Reactor& reactor, io::BufferGroup& buffers, const Options& options);

  // One walk over the hosts. Each address has connect_timeout, to the end of the session's start.
  class Walk {
   public:
    // `until` is that of all of it.
    Walk(Connector& connector, io::Until until);

    // Opens `session` at the next host that has one for us; the host's index. On failure nothing is
    // left open, and all that were tried are named, in the order of the settings. What could not be
    // reached, was silent, is starting up or shutting down (57P03) or is not what is asked for is
    // passed over; another answer would be the same elsewhere, or is worth saying, and ends the
    // walk.
    io::Task<Result<size_t>> next(Session& session);
    // `session`, which the last next() has opened, was of no use: its host is passed over.
    void failed(const Session& session, std::string_view why);

   private:
    // Looks up the addresses of the next host; false when there is none.
    io::Task<bool> next_host();
    bool is_cancelled() const;
    void note(std::string_view what, std::string_view why);
    Error failure();

    Connector& connector_;
    io::Until until_;
    std::vector<Hosts::Attempt> plan_;
    size_t next_ = 0;  // of the plan
    std::vector<io::Address> addresses_;
    size_t next_address_ = 0;  // of the host before that
    std::vector<std::pair<size_t, std::string>> notes_;
  };

  // Opens a session at `host` and ends it again: what has come of it is known to hosts().
  io::Task<void> look_at(size_t host, io::Until until);
  // Opens it to where `peer` is, for whatever is said first, a CancelRequest: by TLS where it is
  // encrypted.
  io::Task<Result<void>> reach(Session& session, Peer peer, io::Until until);

  // The time of one step: no more than the whole, and its own.
  io::Until attempt(io::Until until) const;
  // Of all sessions that it opens.
  StatementNames& names() { return names_; }
  io::Reactor& reactor() const { return reactor_; }
  io::BufferGroup& buffers() const { return buffers_; }
  Hosts& hosts() { return hosts_; }

 private:
  // What came of an attempt at one address.
  struct Heard {
    enum class What : uint8_t {
      session,    // it is open
      nothing,    // or that it can't serve now: another may
      misfit,     // a server that is not what is asked for
      a_refusal,  // of another kind
    };
    What what;
    std::string why{};
  };

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
  // reach.cpp. To the end of the start, and that it is what is `wanted`. Open only when that is so.
  io::Task<Heard> open_at(Session& session, const proto::pg::Host& host, io::Address address,
                          Hosts::Wanted wanted, io::Until until);
  // By each way that sslmode allows for.
  io::Task<Attempt> connect_to(Session& session, const proto::pg::Host& host, io::Address address,
                               io::Until until);
  io::Task<Attempt> connect_by(Way way, Session& session, const proto::pg::Host& host,
                               io::Address address, io::Until until);
  io::Task<Attempt> reach_by(Way way, Session& session, Peer peer, io::Until until);
  io::Task<Attempt> encrypt(Way way, Session& session, io::Until until);
  io::Task<std::expected<bool, Refusal>> ask_for_tls(Session& session, io::Until until);
  io::Task<Attempt> start(Session& session, const proto::pg::Host& host, io::Until until);
  io::Task<Heard> ask(Session& session, Hosts::Wanted wanted, io::Until until);
  // Says goodbye.
  static io::Task<void> end(Session& session);

  io::Reactor& reactor_;
  io::BufferGroup& buffers_;
  const Options& options_;
  Encryption encryption_;
  const std::shared_ptr<Passwords> passwords_;
  ScramKeys keys_;
  StatementNames names_;
  std::minstd_rand random_{std::random_device{}()};  // for load_balance_hosts
  Hosts hosts_;
};

}  // namespace ringpost::pg
