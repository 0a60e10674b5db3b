#include "tests/simulation/client.h"

#include <algorithm>

namespace ringpost::simulation {

Nature draw_nature(Random& random, const Faults& faults) {
  Nature nature;
  nature.requests = 1 + static_cast<size_t>(random.skewed(40));
  if (random.chance(300'000)) nature.outstanding = 1 + static_cast<size_t>(random.skewed(300));
  if (nature.outstanding > 1) nature.requests = std::max(nature.requests, nature.outstanding / 2);
  if (random.chance(300'000)) nature.thinks = Time(random.skewed(2'000'000'000));
  if (random.chance(200'000)) nature.stays = true;
  // Half of all clients are good, so that what the others do to them is seen.
  if (random.chance(500'000)) return nature;
  const auto does = [&](Fault fault) { return faults.enabled(fault) && random.chance(400'000); };
  if (does(Fault::drips)) {
    nature.piece = static_cast<size_t>(random.between(1, 200));
    nature.gap = Time(random.skewed(400'000'000));
  }
  if (does(Fault::stalls)) nature.stops_at = static_cast<size_t>(random.skewed(2'000));
  if (does(Fault::slow_readers)) {
    nature.reads = random.chance(300'000) ? 0 : static_cast<size_t>(random.between(1, 20'000));
    nature.reads_every = Time(random.between(1'000'000, 1'000'000'000));
    nature.requests = std::max<size_t>(nature.requests, 20);
    nature.outstanding = nature.requests;
  }
  if (does(Fault::resets)) {
    if (random.chance(500'000))
      nature.resets_at = static_cast<size_t>(random.skewed(200'000));
    else
      nature.resets_after = Time(random.skewed(3'000'000'000));
  }
  if ((nature.reads != SIZE_MAX || nature.resets_at != SIZE_MAX) && random.chance(500'000)) {
    nature.greedy = true;
    nature.requests = nature.outstanding = static_cast<size_t>(random.between(5, 60));
  }
  if (does(Fault::half_closes)) nature.half_closes = true;
  return nature;
}

Client::Client(Stage& stage, Nature nature, int64_t number, std::vector<Request> requests)
    : stage_(stage),
      world_(stage.world),
      nature_(nature),
      number_(number),
      requests_(std::move(requests)) {
  for (const Request& request : requests_) {
    bytes_ += request.bytes;
    ends_.push_back(bytes_.size());
  }
  ++stage_.open;
  if (nature_.reads == SIZE_MAX) ++stage_.attentive;
}

Client::~Client() {
  if (link_) link_->client.owner = nullptr;
}

void Client::start(int listening_fd, Time latency, size_t segment) {
  link_ = std::make_shared<Link>(world_, number_, latency);
  link_->segment = segment;
  link_->client.owner = this;
  ++world_.counts.connections;
  world_.note("connects", number_, static_cast<int64_t>(requests_.size()));
  stage_.kernel.arrive(listening_fd, link_);
  since_ = world_.now();
  stopped_before_ = world_.stopped_for();
  awaited_ = awaited();
  check_wait();
  if (nature_.resets_after != Time::max())
    world_.after(nature_.resets_after, [self = shared_from_this()] { self->finish(true); });
  begin_requests();
}

// The next request, and those that go with it, after some thought.
void Client::begin_requests() {
  if (begun_ >= requests_.size() || closing_ || thinking_) return;
  if (nature_.thinks == Time{}) {
    begun_ = std::min(requests_.size(), answered_ + nature_.outstanding);
    return send();
  }
  thinking_ = true;
  world_.after(nature_.thinks, [self = shared_from_this()] {
    self->thinking_ = false;
    self->begun_ = std::min(self->requests_.size(), self->answered_ + self->nature_.outstanding);
    self->send();
  });
}

// Up to which byte. A body is held back until the server wants it, if its client asked for that.
size_t Client::may_send() const {
  size_t most = begun_ == 0 ? 0 : ends_[begun_ - 1];
  for (size_t i = answered_; i < begun_; ++i) {
    if (!requests_[i].expects || (i == answered_ && continued_)) continue;
    most = begin_of(i) + requests_[i].head_size;
    break;
  }
  return std::min(most, nature_.stops_at);
}

void Client::send() {
  if (ended_ || at_end_ || half_closed_) return;
  Side& side = link_->client;
  while (!side.broken()) {
    size_t count = may_send() - std::min(sent_, may_send());
    if (nature_.piece != 0) count = std::min(count, nature_.piece);
    count = std::min(count, side.send_space());
    if (count == 0) break;
    side.write(std::string_view(bytes_).substr(sent_, count));
    sent_ += count;
    count_outstanding();
    if (nature_.piece != 0) {
      if (sent_ < may_send()) send_later(nature_.gap);
      break;
    }
  }
  if (nature_.half_closes && sent_ == bytes_.size() && !side.broken()) {
    half_closed_ = true;
    side.shut_sending();
  }
  watch();
}

void Client::count_outstanding() {
  for (; counted_ < requests_.size() && ends_[counted_] <= sent_; ++counted_) {
    ++world_.counts.requests;
    if (!requests_[counted_].asks_database) continue;
    ++stage_.outstanding;
    stage_.most_outstanding = std::max(stage_.most_outstanding, stage_.outstanding);
  }
}

void Client::send_later(Time delay) {
  if (sending_later_) return;
  sending_later_ = true;
  world_.after(delay, [self = shared_from_this()] {
    self->sending_later_ = false;
    self->send();
  });
}

void Client::changed(Side&) {
  if (ended_) return;
  const auto self = shared_from_this();
  const bool reads = nature_.reads == SIZE_MAX || closing_;
  if (reads || (nature_.reads == 0 && link_->client.was_reset()))
    receive();
  else if (nature_.reads != 0)
    read_later();
  if (!ended_ && !sending_later_) send();
}

void Client::read_later() {
  if (reading_later_) return;
  reading_later_ = true;
  world_.after(nature_.reads_every, [self = shared_from_this()] {
    self->reading_later_ = false;
    if (!self->ended_) self->receive();
  });
}

void Client::receive() {
  Side& side = link_->client;
  const size_t count = std::min(side.readable(), std::max<size_t>(nature_.reads, 1));
  if (count != 0) {
    input_.append(side.unread().substr(0, count));
    received_ += count;
    side.read(count);
  }
  while (!input_.empty()) {
    if (closing_) {
      if (input_.size() > body_of_half_head_)
        violated("bytes came behind the answer that said Connection: close");
      body_of_half_head_ -= input_.size();
      input_.clear();
      break;
    }
    const bool head_only = answered_ < requests_.size() && requests_[answered_].head_only;
    std::string wrong;
    const std::optional<Response> response = read_response(input_.view(), head_only, wrong);
    if (!wrong.empty()) violated(wrong);
    if (!response) break;
    take(*response);
    // Of half a head nobody could say that it was one of HEAD.
    if (response->status == 408 && head_only) body_of_half_head_ = response->length;
    input_.take(response->size);
  }
  if (received_ >= nature_.resets_at) return finish(true);
  if (side.readable() != 0) return read_later();
  if (side.at_end() || side.was_reset()) return server_ended();
  watch();
  if (answered_ == requests_.size() && !nature_.stays) return finish(false);
  if (answered_ >= begun_) begin_requests();
}

void Client::finish(bool abort) {
  if (ended_) return;
  world_.note(abort ? "resets" : "leaves", number_, static_cast<int64_t>(answered_));
  ended_ = true;
  --stage_.open;
  if (nature_.reads == SIZE_MAX) --stage_.attentive;
  for (size_t i = answered_; i < counted_; ++i)
    if (requests_[i].asks_database) --stage_.outstanding;
  link_->client.close(abort);
}

}  // namespace ringpost::simulation
