// The part of a client that judges: what it is told, how the connection ends, how long it waits.
#include <algorithm>

#include "tests/simulation/client.h"

namespace ringpost::simulation {

namespace {
// What the server may be late by, beyond the limits that it was given.
constexpr Time slack = 1500ms;
}  // namespace

void Client::take(const Response& response) {
  if (answered_ >= requests_.size() || sent_ <= begin_of(answered_))
    violated("an answer (" + std::to_string(response.status) + ") that nobody asked for");
  const Request& request = requests_[answered_];
  if (response.status == 100) {
    if (!request.expects || continued_) violated("100 that was not asked for");
    if (request.no_continue)
      violated("100 before the final answer to a request whose body nobody needs");
    continued_ = true;
    if (nature_.stops_at == SIZE_MAX) send_later(Time{});
    return;
  }
  judge(request, response);
  world_.note("answer", number_, response.status);
  ++world_.counts.answers;
  answer_began_at_ = received_ - input_.size();
  if (answered_ < counted_ && request.asks_database) --stage_.outstanding;
  continued_ = false;
  ++answered_;
  closing_ = response.close;
  last_said_close_ = response.close;
}

void Client::judge(const Request& request, const Response& response) {
  const Faults& faults = world_.faults;
  const auto said = [&] {
    return " (" + std::to_string(response.status) + " to " +
           request.bytes.substr(0, request.bytes.find('\r')) + ")";
  };
  const bool whole = sent_ >= ends_[answered_];
  if (response.status == 408) {
    const bool slow = nature_.piece != 0 || nature_.stops_at != SIZE_MAX || request.expects ||
                      world_.stopped_for() != Time{};
    if (!slow) violated("a request that came whole was answered 408");
    if (!response.close) violated("408 without Connection: close");
    all_well_ = false;
    return;
  }
  if (!whole && request.status != 0 && !request.no_continue)
    violated("a request was answered before it was whole" + said());
  if (request.status == 0) {
    if (response.status < 400 || response.status == 503 || response.status == 500)
      violated("what is no request was answered as one" + said());
    if (!response.close) violated("the connection goes on behind what is no request" + said());
    return;
  }
  if (request.ends && !response.close)
    violated("an answer does not say Connection: close to who asked for it" + said());
  if (response.status == request.status) {
    if (request.head_only ? response.length != request.body.size() : response.body != request.body)
      violated("an answer has the wrong body" + said() + ": " +
               std::string(response.body.substr(0, 300)));
    return;
  }
  all_well_ = false;
  const bool no_room = faults.enabled(Fault::little_memory);
  if (!request.asks_database && !(no_room && response.status == 503))
    violated("an answer has the wrong status" + said());
  if (response.status == 503) {
    if (!request.head_only && response.body != R"({"error":"unavailable"})")
      violated("503 with another body" + said());
    if (!response.retry_after) violated("503 without Retry-After");
    // A session that is opened for it takes four round trips, each way at most the latency.
    const Time limit = request.asks_readiness ? Time(stage_.config.ready_timeout)
                                              : Time(stage_.config.request_timeout);
    const bool busy = static_cast<int64_t>(stage_.most_outstanding) * stage_.query_time > limit / 4;
    const bool far = 12 * stage_.kernel.remote_latency > limit;
    const bool excused = no_room || far || stage_.troubled() || world_.stopped_for() != Time{} ||
                         busy || stage_.cancelled() ||
                         (request.asks_readiness && stage_.left_at <= world_.now()) ||
                         faults.enabled(Fault::late_completions) || faults.enabled(Fault::pg_split);
    if (!excused) violated("503, and PostgreSQL was well" + said());
    return;
  }
  if (response.status != 500 || request.asks_readiness)
    violated("an answer has the wrong status" + said());
  if (!request.head_only && response.body != R"({"error":"internal"})")
    violated("500 with another body" + said());
  if (++stage_.internal_answers > stage_.internal_errors())
    violated("500, and PostgreSQL has sent no error that has to be told" + said());
}

// The bytes whose requests have to be answered: those that the server had read before it began to
// end the connection, or was told to drain. After a stop, an interrupted call can keep from it what
// has come.
size_t Client::owed_bytes() const {
  if (world_.stopped_for() != Time{} && world_.faults.enabled(Fault::interrupted_submits)) return 0;
  if (stage_.kernel.drained_at == Time::max()) return link_->consumed_at_end;
  return std::min(link_->consumed_at_end, link_->consumed_at_drain);
}

// The server has ended its side, or reset the connection.
void Client::server_ended() {
  Side& side = link_->client;
  const bool reset = side.was_reset() && !side.at_end();
  if (!input_.empty() && !reset && !stage_.cancelled() && !link_->client.was_reset())
    violated("the connection ended in the middle of an answer");
  // What the server had read before it began to end, whole, is answered, unless the last answer
  // said that there would be no other.
  if (!stage_.cancelled() && !closing_ && nature_.reads == SIZE_MAX && !reset) {
    const bool unanswered = answered_ < requests_.size() && sent_ >= ends_[answered_] &&
                            owed_bytes() >= ends_[answered_];
    if (unanswered) violated("the connection ended, and a request that was read has no answer");
    const bool in_flight_at_drain =
        stage_.kernel.drained_at != Time::max() && link_->accepted_at < stage_.kernel.drained_at &&
        link_->quiet_at_drain && answer_began_at_ >= link_->written_at_drain;
    const bool whole_requests = !incomplete() || sent_ == begin_of(answered_);
    if (in_flight_at_drain && whole_requests && answered_ > 0 && !half_closed_ &&
        link_->consumed_at_drain >= ends_[answered_ - 1] &&
        link_->consumed_at_end == ends_[answered_ - 1])
      violated("while draining, the last answer did not say Connection: close");
  }
  // After a stop, an answer that waits behind a send that ended meanwhile is late. And over a long
  // way an answer takes longer than closing waits for.
  if (reset && world_.stopped_for() == Time{} && stage_.kernel.latency < 5ms &&
      !stage_.cancelled() && nature_.reads == SIZE_MAX && !closing_ &&
      nature_.stops_at == SIZE_MAX && answered_ < requests_.size() &&
      owed_bytes() >= ends_[answered_] && sent_ >= ends_[answered_])
    violated("the connection was reset, and a request that was read has no answer");
  at_end_ = true;
  finish(false);
}

Client::Awaited Client::awaited() const {
  return {answered_,
          counted_,
          incomplete() && sent_ > begin_of(answered_),
          link_->accepted_at != Time::max(),
          stage_.drained_at != Time::max(),
          nature_.reads == SIZE_MAX ? received_ : 0};
}

// How long what is now waited for may take.
Time Client::patience() const {
  const http::Limits& limits = stage_.config.http;
  const Time request_timeout = stage_.config.request_timeout;
  const bool waits_for_answers = answered_ < counted_;
  const Time unread = nature_.reads == SIZE_MAX
                          ? Time{}
                          : 2 * Time(limits.write_timeout) + Time(limits.linger_limit);
  // One that does not read is waited for with each of its requests, and learns of nothing.
  if (nature_.reads != SIZE_MAX)
    return (1 + requests_.size() / limits.pipelined) * (request_timeout + unread) +
           limits.head_timeout + limits.idle_timeout + limits.body_timeout + slack +
           (nature_.reads == 0 ? Time{} : Time::max() / 4);
  if (waits_for_answers) return request_timeout + unread + slack;
  if (stage_.drained_at != Time::max())
    return Time(limits.drain_grace) + limits.linger_timeout + unread + slack;
  if (incomplete() && sent_ > begin_of(answered_)) {
    const bool body = sent_ >= begin_of(answered_) + requests_[answered_].head_size;
    // One that waits for 100 is waited for.
    if (body && requests_[answered_].expects && !continued_)
      return 2 * Time(limits.body_timeout) + slack;
    return Time(limits.head_timeout) + (body ? Time(limits.body_timeout) : Time{}) + unread + slack;
  }
  return Time(answered_ == 0 ? limits.head_timeout : limits.idle_timeout) + unread + slack;
}

void Client::watch() {
  if (ended_ || awaited() == awaited_) return;
  awaited_ = awaited();
  since_ = world_.now();
  stopped_before_ = world_.stopped_for();
}

void Client::check_wait() {
  if (ended_) return;
  // The server has done its part, and the rest of this one is long.
  if (nature_.reads != SIZE_MAX && link_->server.closed()) return finish(true);
  watch();
  const Time due = since_ + patience() + (world_.stopped_for() - stopped_before_);
  const bool accepted = link_->accepted_at != Time::max();
  if (accepted && due < world_.now() && !world_.faults.enabled(Fault::few_connections))
    violated("its wait does not end: it has " + std::to_string(answered_) + " of " +
             std::to_string(counted_) + " answers, and waits for " +
             std::to_string(std::chrono::duration<double>(world_.now() - since_).count()) + " s" +
             (incomplete() ? " in the middle of a request" : "") + "; of its " +
             std::to_string(sent_) + " bytes the server has read " +
             std::to_string(link_->server.consumed()) + ", " +
             std::to_string(link_->server.readable()) + " lie there");
  world_.after(500ms, [self = shared_from_this()] { self->check_wait(); });
}

void Client::violated(const std::string& what) const {
  world_.violated("client " + std::to_string(number_) + ": " + what);
}

}  // namespace ringpost::simulation
