// The renewal of a pool's connections, and the looks at hosts that are down: pool.h, renewal.h.
#include <algorithm>
#include <utility>

#include "src/pg/pool.h"

namespace ringpost::pg {

namespace {

// How long the other connection may take to open, or the old one to end: past that the next is
// looked at.
constexpr std::chrono::seconds longest_renewal{30};
// After a renewal that did not come about.
constexpr std::chrono::seconds pause{5};

std::string_view text_of(Renewal::Why why) {
  switch (why) {
    case Renewal::Why::gone:
      return "its host is gone";
    case Renewal::Why::unfit:
      return "its server is no longer what target_session_attrs asks for";
    case Renewal::Why::moves:
      return "a better host is back";
    case Renewal::Why::aged:
      return "it is old";
    case Renewal::Why::idle:
      return "it has nothing to do";
  }
  return "";
}

}  // namespace

// Those that were opened together do not end together.
io::Time Pool::end_of_life() {
  const auto age = options_.max_age.count();
  if (age == 0) return io::never;
  const auto sooner = static_cast<int64_t>(random_() % static_cast<uint64_t>(age / 5 + 1));
  return reactor_.now() + std::chrono::milliseconds(age - sooner);
}

void Pool::look_again() {
  look_again_ = true;
  tending_.changed();
}

std::vector<Renewal::Candidate> Pool::candidates() {
  std::vector<Renewal::Candidate> candidates;
  for (const auto& slot : slots_) {
    const Connection& connection = slot->connection;
    const bool busy = connection.depth() != 0;
    const bool gone = connector_.hosts().is_gone(connection.host(), connection.heard());
    const io::Time patience_ends =
        connection.heard() + (busy ? options_.pipeline_time : std::chrono::microseconds(0));
    candidates.push_back({.open = connection.ready(),
                          .kept = slot->keep_open,
                          .busy = busy,
                          .gone = gone ? patience_ends : io::never,
                          .host = connection.host(),
                          .rank = connection.rank(),
                          .ends = slot->ends,
                          .heard = connection.heard()});
  }
  return candidates;
}

io::Task<void> Pool::tend() {
  while (!scope_.cancellation().requested()) {
    look_again_ = false;
    const io::Time now = reactor_.now();
    const std::vector<Renewal::Candidate> all = candidates();
    const std::optional<Hosts::Look> look = Renewal::next_look(all, connector_.hosts());
    if (look && look->at <= now) {
      co_await connector_.look_at(look->host, scope_.until());
      continue;
    }
    const std::optional<Renewal> due =
        Renewal::due(all, connector_.hosts(), options_.idle_age, now);
    if (due && now >= no_renewal_before_) {
      co_await renew(*due);
      continue;
    }
    const io::Until until = scope_.until(next_moment(all, look));
    auto waiting = tending_.wait(reactor_, until, [this] { return look_again_; });
    co_await waiting;
  }
}

io::Time Pool::next_moment(std::span<const Renewal::Candidate> candidates,
                           const std::optional<Hosts::Look>& look) {
  const io::Time now = reactor_.now();
  const io::Time renewal = std::max(
      Renewal::next(candidates, connector_.hosts(), options_.idle_age, now), no_renewal_before_);
  const io::Time next = look ? std::min(look->at, renewal) : renewal;
  return std::max(next, now + std::chrono::milliseconds(1));  // never at once
}

// Where there is no place for another one before, the old one ends first; not while connecting
// fails.
io::Task<void> Pool::renew(Renewal renewal) {
  Slot& old = *slots_[renewal.candidate];
  bool may_end = true;
  if (renewal.why != Renewal::Why::idle && renewal.why != Renewal::Why::gone) {
    Slot* const other = free_slot();
    may_end = failures_ == 0;
    if (other != nullptr) may_end = co_await replace(old, *other, renewal.why);
  }
  if (!may_end) no_renewal_before_ = reactor_.now() + pause;
  if (may_end && old.connection.ready()) co_await end(old, renewal.why);
}

io::Task<bool> Pool::replace(Slot& old, Slot& other, Renewal::Why why) {
  other.wanted = true;
  other.turn.changed();
  auto opening = tending_.wait(
      reactor_, scope_.until(reactor_.now() + longest_renewal),
      [&old, &other] { return other.is_open() || !other.wanted || !old.connection.ready(); });
  co_await opening;
  // Where the old one has ended meanwhile the other one stays, for it or beside it.
  if (!other.connection.ready() || !old.connection.ready()) co_return false;
  const bool better = other.connection.rank() < old.connection.rank();
  if (why != Renewal::Why::aged && !better) {
    co_await end(other, Renewal::Why::idle);
    co_return false;
  }
  // All of its place: whether it is kept, and that before the others, where quick queries go.
  std::swap(old.keep_open, other.keep_open);
  const auto place_of = [this](const Slot& slot) {
    return std::find_if(slots_.begin(), slots_.end(),
                        [&slot](const auto& each) { return each.get() == &slot; });
  };
  std::iter_swap(place_of(old), place_of(other));
  co_return true;
}

Pool::Slot* Pool::free_slot() {
  const auto found = std::find_if(slots_.begin(), slots_.end(), [](const auto& slot) {
    return !slot->wanted && !slot->closing && !slot->is_open();
  });
  return found == slots_.end() ? nullptr : found->get();
}

// One that has been idle while another at the same host has fallen silent may be as dead: where a
// NAT has forgotten them, each would cost what is asked of it until that is found out. One at a
// time, and not while connecting fails: it may be that the other one waits for a lock.
Connection* Pool::trusted(Connection& connection) {
  const auto long_ago = reactor_.now() - options_.pipeline_time;
  if (connection.depth() != 0 || connection.heard() > long_ago || failures_ != 0)
    return &connection;
  Slot* own = nullptr;
  bool beside_a_silent_one = false;
  for (const auto& slot : slots_) {
    const Connection& each = slot->connection;
    if (&each == &connection) own = slot.get();
    if (slot->closing || (slot->wanted && !slot->is_open())) return &connection;
    beside_a_silent_one |= each.ready() && each.host() == connection.host() &&
                           each.silence() >= options_.pipeline_time;
  }
  if (own == nullptr || !beside_a_silent_one) return &connection;
  own->retired = "it may be as dead as another one";
  own->closing = true;
  own->connection.retire();
  return nullptr;
}

// Until it has left its place, and where it is kept is there again: one at a time.
io::Task<void> Pool::end(Slot& slot, Renewal::Why why) {
  slot.retired = text_of(why);
  slot.closing = true;
  // What was asked of who is gone is asked again elsewhere.
  if (why == Renewal::Why::gone && slot.connection.depth() != 0)
    slot.connection.abandon();
  else
    slot.connection.retire();
  auto over =
      tending_.wait(reactor_, scope_.until(reactor_.now() + longest_renewal), [this, &slot] {
        return !slot.closing && (slot.is_open() || !slot.wanted || failures_ != 0);
      });
  co_await over;
}

}  // namespace ringpost::pg
