// ScramKeys: salted passwords. Making one takes as long as the server wishes, so that is done on
// another thread; and kept, so that connecting again costs nothing. A shard has one for all its
// connections.
//
// What is kept is as good as the password to who would log in to that server: it is wiped with the
// object, and when it makes room.
#pragma once

#include <cstddef>
#include <deque>

#include "proto/pg/scram.h"
#include "src/io/reactor.h"
#include "src/io/task.h"
#include "src/pg/error.h"

namespace ringpost::pg {

class ScramKeys {
 public:
  // Both outlive it.
  ScramKeys(io::Reactor& reactor, const proto::pg::Crypto& crypto)
      : reactor_(reactor), crypto_(crypto) {}
  ~ScramKeys();
  ScramKeys(const ScramKeys&) = delete;
  ScramKeys& operator=(const ScramKeys&) = delete;

  // The salted password; `salting` lives until it is there. Errors: unavailable.
  io::Task<Result<proto::pg::Digest>> salted(proto::pg::Scram::Salting salting, io::Until until);

  // Those that are kept: of a few hosts, and of their passwords before they were changed.
  static constexpr size_t most = 16;
  size_t size() const { return kept_.size(); }

 private:
  struct Kept {
    proto::pg::Digest made_of;  // a hash of it: the password is not kept once more
    proto::pg::Digest salted;
  };
  proto::pg::Digest identify(const proto::pg::Scram::Salting& salting) const;

  io::Reactor& reactor_;
  const proto::pg::Crypto& crypto_;
  std::deque<Kept> kept_;  // the newest at the end
};

}  // namespace ringpost::pg
