#include "src/pg/hosts.h"

#include <algorithm>
#include <numeric>

namespace ringpost::pg {

using proto::pg::Conninfo;
using proto::pg::Fit;
using proto::pg::ServerState;

Hosts::Hosts(const Conninfo& conninfo, const Pauses& pauses, uint32_t seed)
    : wanted_(conninfo.target_session_attrs),
      ordered_(conninfo.load_balance_hosts == Conninfo::LoadBalance::disable),
      pauses_(pauses),
      hosts_(conninfo.hosts.size()),
      random_(seed) {}

// Half of it for certain, half at random: shards and processes do not come together.
io::Duration Hosts::jittered(io::Duration pause) {
  const auto half = std::chrono::duration_cast<std::chrono::milliseconds>(pause).count() / 2;
  const auto more = static_cast<int64_t>(random_() % static_cast<uint64_t>(half + 1));
  return std::chrono::milliseconds(half + more);
}

bool Hosts::is_primary(size_t host) const {
  const std::optional<Rank>& seen = hosts_[host].rank;
  return wanted_ == Wanted::prefer_standby && seen && *seen >= hosts_.size();
}

std::vector<Hosts::Attempt> Hosts::plan() {
  std::vector<size_t> order(hosts_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (!ordered_) std::shuffle(order.begin(), order.end(), random_);
  std::vector<Attempt> attempts;
  const auto add = [&](Wanted wanted, auto&& belongs) {
    for (const size_t host : order)
      if (belongs(host)) attempts.push_back({host, wanted});
  };
  const auto down = [this](size_t i) { return hosts_[i].condition == Condition::down; };
  const auto second = [this](size_t i) { return hosts_[i].rank == unfit || hosts_[i].suspected; };
  // One that is known for a primary is left out of the first walk, as the second takes it anyhow.
  if (wanted_ == Wanted::prefer_standby)
    add(Wanted::standby, [&](size_t i) { return !down(i) && !is_primary(i) && !second(i); });
  add(wanted_, [&](size_t i) { return !down(i) && !second(i); });
  add(wanted_, [&](size_t i) { return !down(i) && second(i); });
  add(wanted_, down);
  return attempts;
}

Hosts::Rank Hosts::rank(size_t host, const ServerState& state) const {
  if (proto::pg::fit(wanted_, state) != Fit::yes) return unfit;
  const bool second_choice =
      wanted_ == Wanted::prefer_standby && !state.in_hot_standby.value_or(false);
  return best_rank(host) + (second_choice ? hosts_.size() : 0);
}

void Hosts::opened(size_t host, const ServerState& state, io::Time now) {
  Host& one = hosts_[host];
  if (one.condition != Condition::up) one.up_since = now;
  one.condition = Condition::up;
  one.suspected = false;
  one.rank = rank(host, state);
  // Is it still up, when sessions may come?
  const io::Time settled = one.up_since + pauses_.settled;
  const bool may_settle = now < settled && one.rank == best_rank(host);
  one.next_look = may_settle ? settled : now + pauses_.other_role;
}

// Attempts that fail before its next look is due say nothing new.
void Hosts::failed(size_t host, io::Time now) {
  Host& one = hosts_[host];
  const bool was_down = one.condition == Condition::down;
  if (was_down && now < one.next_look) return;
  if (!was_down) one.down_since = now;
  one.condition = Condition::down;
  one.suspected = false;
  one.pause =
      was_down ? std::min<io::Duration>(2 * one.pause, pauses_.last) : io::Duration(pauses_.first);
  one.next_look = now + jittered(one.pause);
}

void Hosts::changed(size_t host, const ServerState& state, io::Time now) {
  if (hosts_[host].rank == rank(host, state)) return;  // another session there has said so
  for (Host& one : hosts_) {
    one.rank.reset();
    if (one.condition == Condition::up) one.next_look = now;
  }
  hosts_[host].rank = rank(host, state);
  hosts_[host].next_look = now + pauses_.other_role;
}

void Hosts::suspect(size_t host, io::Time now) {
  Host& one = hosts_[host];
  if (one.condition != Condition::up || one.suspected) return;
  one.suspected = true;
  one.up_since = one.next_look = now;
}

bool Hosts::is_gone(size_t host, io::Time heard) const {
  return hosts_[host].condition == Condition::down && heard < hosts_[host].down_since;
}

io::Time Hosts::better_from(Rank rank) const {
  io::Time from = io::never;
  for (const Host& one : hosts_) {
    if (one.condition != Condition::up || one.suspected) continue;
    if (one.rank && *one.rank < rank)
      from = std::min(from, rank == unfit ? one.up_since : one.up_since + pauses_.settled);
  }
  return from;
}

std::optional<io::Time> Hosts::next_look(size_t host, Rank rank, bool occupied) const {
  const Host& one = hosts_[host];
  const bool useful = best_rank(host) < rank;
  switch (one.condition) {
    case Condition::down:
      return one.next_look;
    case Condition::unknown:
      if (useful) return one.next_look;
      break;
    case Condition::up:
      if (one.suspected) return one.next_look;
      if (occupied && rank != unfit) break;
      // There is one primary: who has a session with it looks for no other.
      if (one.rank == unfit && rank != unfit &&
          (wanted_ == Wanted::primary || wanted_ == Wanted::read_write))
        break;
      if (useful) return one.next_look;
      break;
  }
  return std::nullopt;
}

std::optional<Hosts::Look> Hosts::next_look(Rank rank, const std::vector<bool>& occupied) const {
  std::optional<Look> first;
  if (hosts_.size() == 1 && rank != unfit) return first;
  for (size_t host = 0; host < hosts_.size(); ++host) {
    const bool there = host < occupied.size() && occupied[host];
    const std::optional<io::Time> at = next_look(host, rank, there);
    if (at && (!first || *at < first->at)) first = Look{host, *at};
  }
  return first;
}

}  // namespace ringpost::pg
