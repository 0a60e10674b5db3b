#include "src/pg/renewal.h"

#include <algorithm>
#include <vector>

namespace ringpost::pg {

namespace {

bool may_idle_out(const Renewal::Candidate& one, std::chrono::milliseconds idle_age) {
  return one.open && !one.kept && idle_age.count() != 0;
}

}  // namespace

std::optional<Renewal> Renewal::due(std::span<const Candidate> candidates, const Hosts& hosts,
                                    std::chrono::milliseconds idle_age, io::Time now) {
  std::optional<Renewal> first;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& one = candidates[i];
    if (!one.open) continue;
    std::optional<Why> why;
    if (now >= one.gone && hosts.offers_better(Hosts::unfit, now))
      why = Why::gone;
    else if (hosts.offers_better(one.rank, now))
      why = one.rank == Hosts::unfit ? Why::unfit : Why::moves;
    else if (now >= one.ends)
      why = Why::aged;
    else if (may_idle_out(one, idle_age) && !one.busy && now >= one.heard + idle_age)
      why = Why::idle;
    if (why && (!first || *why < first->why)) first = Renewal{i, *why};
  }
  return first;
}

std::optional<Hosts::Look> Renewal::next_look(std::span<const Candidate> candidates,
                                              const Hosts& hosts) {
  std::optional<Hosts::Rank> worst;
  std::vector<bool> occupied(hosts.size());
  for (const Candidate& one : candidates) {
    if (!one.open) continue;
    worst = std::max(worst.value_or(0), one.rank);
    occupied[one.host] = true;
  }
  return worst ? hosts.next_look(*worst, occupied) : std::nullopt;
}

// One that is busy has nothing to wait for: when it has been idle for so long, at the earliest.
io::Time Renewal::next(std::span<const Candidate> candidates, const Hosts& hosts,
                       std::chrono::milliseconds idle_age, io::Time now) {
  io::Time next = io::never;
  for (const Candidate& one : candidates) {
    if (!one.open) continue;
    next = std::min({next, one.ends, hosts.better_from(one.rank)});
    if (now < one.gone) next = std::min(next, one.gone);
    if (may_idle_out(one, idle_age)) next = std::min(next, (one.busy ? now : one.heard) + idle_age);
  }
  return next;
}

}  // namespace ringpost::pg
