// How a shard's pool reaches PostgreSQL and how much it may ask of it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "proto/pg/conninfo.h"
#include "src/pg/hosts.h"
#include "src/pg/passwords.h"

namespace ringpost::pg {

struct Options {
  proto::pg::Conninfo conninfo;
  // For all that have it: what hosts are told in place of the passwords in `conninfo`, which may
  // change. None: each Connector has its own.
  std::shared_ptr<Passwords> passwords;

  uint32_t max_connections = 1;  // this shard's share of the budget
  uint32_t min_connections = 1;  // opened at start, and kept
  // Queries in flight on one connection, at most; a power of two.
  uint32_t pipeline_depth = 256;
  // Reads that leave for one connection in one turn share a Sync, which saves PostgreSQL a
  // transaction, a flush and a wake-up for each. Whether, how many at most, and how long those that
  // share one may take, by the average of their statements: PostgreSQL holds the first answer back
  // until the last is there. A statement that takes a part of it that can be felt has its own.
  bool shared_syncs = true;
  uint32_t group_size = 64;
  std::chrono::microseconds group_time{1'000}, group_member_time{100};
  // A connection takes no more while those that it has may take this long, a quarter of the usual
  // deadline. In the pool's line a query can still be given up; once it is sent, PostgreSQL works
  // for it even when its owner has gone.
  std::chrono::microseconds pipeline_time{500'000};
  // Queries that wait for a connection, at most; one more is refused at once.
  uint32_t most_waiting = 16'384;
  size_t answer_bytes = 16 << 20;

  // Of each address of each host, to the end of the session's start.
  std::chrono::milliseconds connect_timeout{2'000};
  // A query that its owner gave up and that is still the next to be answered after this long is
  // cancelled, after a quarter of it where the server has been silent for all of it before; when
  // that does not end it in this time, its session is replaced.
  std::chrono::milliseconds give_up_timeout{1'000};
  // Where sessions do not keep their prepared statements, for how long none is prepared by name,
  // until that is tried again.
  std::chrono::milliseconds unnamed_pause{300'000};
  // Between two attempts to connect: doubles from the first to the last, each with jitter.
  std::chrono::milliseconds first_backoff{20}, last_backoff{500};
  // Of the same host, and of those that are not what is asked for.
  Hosts::Pauses hosts;

  // A connection is replaced when it is as old, or up to a fifth sooner, each at another moment; 0:
  // never. What has been forgotten of it on its way, and what its server has piled up for it, ends
  // with it, and it goes where its host's name leads by then.
  std::chrono::milliseconds max_age{30 * 60'000};
  // One above min_connections that has had nothing to do for this long is closed; 0: never.
  std::chrono::milliseconds idle_age{5 * 60'000};
};

}  // namespace ringpost::pg
