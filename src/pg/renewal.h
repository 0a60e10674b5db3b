// Renewal: which of a pool's connections is to end though it is well, when, and why. No I/O and no
// clock; the pool asks when something has changed and when the next moment has come.
//
//     gone    its host is down, nothing was heard of it since, and no answer is awaited, or for
//     long unfit   its server is no longer what is asked for, and there is one that is moves   a
//     better host is up again, and has been for a while aged    it is as old as a connection may
//     be, each with a limit of its own idle    it has had nothing to do for long, and is not one of
//     those that are kept
//
// One at a time, in this order; the first only when there is another host. Before those in the
// middle another is opened, where the budget allows.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>

#include "src/io/clock.h"
#include "src/pg/hosts.h"

namespace ringpost::pg {

struct Renewal {
  enum class Why : uint8_t { gone, unfit, moves, aged, idle };

  // What is to be known of a connection.
  struct Candidate {
    bool open = false;          // and takes queries
    bool kept = false;          // when it has nothing to do
    bool busy = false;          // queries are in flight
    io::Time gone = io::never;  // when it counts as gone
    size_t host = 0;
    Hosts::Rank rank = 0;
    io::Time ends = io::never;  // by its age
    io::Time heard;             // when last it had something to do
  };

  size_t candidate;
  Why why;
  bool operator==(const Renewal&) const = default;

  // What is due at `now`. `idle_age`: zero is for ever.
  static std::optional<Renewal> due(std::span<const Candidate> candidates, const Hosts& hosts,
                                    std::chrono::milliseconds idle_age, io::Time now);
  // For the sake of these: the next look at a host that is not up, or not known to be.
  static std::optional<Hosts::Look> next_look(std::span<const Candidate> candidates,
                                              const Hosts& hosts);
  // Before when nothing will be, unless something changes.
  static io::Time next(std::span<const Candidate> candidates, const Hosts& hosts,
                       std::chrono::milliseconds idle_age, io::Time now);
};

}  // namespace ringpost::pg
