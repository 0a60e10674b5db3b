#include "tests/simulation/network.h"

#include <algorithm>
#include <cerrno>

namespace ringpost::simulation {

Link::Link(World& world, int64_t link_number, Time latency)
    : number(link_number), world_(world), latency_(latency) {
  client.link_ = server.link_ = this;
}

Side& Side::peer() const {
  return this == &link_->client ? link_->server : link_->client;
}

void Side::tell() {
  if (owner != nullptr) owner->changed(*this);
}

Time Link::travel() {
  return Time(world_.random.between(1'000, std::max<int64_t>(latency_.count(), 2'000)));
}

void Side::read(size_t count) {
  received_.take(count);
  consumed_ += count;
  if (!closed_) link_->move(peer());  // there is room for more
}

void Side::write(std::string_view bytes) {
  unsent_.append(bytes);
  written_ += bytes.size();
  link_->move(*this);
}

void Side::shut_sending() {
  if (send_shut_ || reset_) return;
  send_shut_ = true;
  link_->move(*this);
}

void Side::close(bool abort) {
  if (closed_) return;
  closed_ = true;
  owner = nullptr;
  if (reset_) return;
  if (abort || !received_.empty()) {
    unsent_.clear();
    link_->reset(*this);
    return;
  }
  send_shut_ = true;
  link_->move(*this);
}

// One piece travels at a time, so that bytes stay in order; the next leaves when it has arrived.
void Link::move(Side& from) {
  if (from.moving_ || from.reset_) return;
  Side& to = from.peer();
  const size_t waiting = to.readable();
  const size_t window = waiting >= to.receive_room && !to.closed_ ? 0
                        : to.closed_                              ? from.unsent_.size()
                                                                  : to.receive_room - waiting;
  size_t count = std::min(from.unsent_.size(), window);
  if (segment != 0) count = std::min(count, segment);
  const bool fin = from.send_shut_ && !from.fin_sent_ && count == from.unsent_.size();
  if (count == 0 && !fin) return;
  from.moving_ = true;
  std::string bytes(from.unsent_.view().substr(0, count));
  // What is on its way is in nobody's buffer; it is counted to the sender until it has arrived.
  from.travelling_ = count;
  world_.after(travel(), [self = shared_from_this(), &from, bytes = std::move(bytes), fin] {
    from.moving_ = false;
    if (from.reset_) return;
    from.unsent_.take(std::min(from.travelling_, from.unsent_.size()));
    self->arrive(from, bytes);
    if (fin && !from.reset_) {
      from.fin_sent_ = true;
      Side& other = from.peer();
      other.ended_ = true;
      other.tell();
    }
    if (!from.reset_) from.tell();
    self->move(from);
  });
}

void Link::arrive(Side& from, const std::string& bytes) {
  Side& to = from.peer();
  if (to.reset_ || bytes.empty()) return;
  if (to.closed_) return reset(to);  // nobody is there to read it
  to.received_.append(bytes);
  to.tell();
}

// Nothing more is sent or taken by `from`; its peer learns of it a moment later.
void Link::reset(Side& from) {
  from.reset_ = true;
  from.unsent_.clear();
  world_.after(travel(), [self = shared_from_this(), &from] {
    Side& to = from.peer();
    if (to.reset_ || to.closed_) {
      to.reset_ = true;
      return;
    }
    to.reset_ = true;
    to.error_ = to.ended_ && to.send_shut_ ? EPIPE : ECONNRESET;
    to.unsent_.clear();
    to.tell();
  });
}

}  // namespace ringpost::simulation
