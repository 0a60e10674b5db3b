// Lifetime: what it does when something has come, and how it ends.
#include <algorithm>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>

#include <signal.h>
#include <unistd.h>

#include "src/service/lifetime.h"

namespace ringpost::service {

namespace {

// How long a shard may take to end once it has been told to give up what it does.
constexpr std::chrono::milliseconds cancel_limit{5'000};
// Longer than a successor waits for itself: by then it is silent.
constexpr std::chrono::milliseconds beyond_its_limit{5'000};

}  // namespace

void Lifetime::step_readiness() {
  if (readiness_.step()) return become_ready();
  if (taker_ && taker_->is_alone()) {
    ops::log(ops::Level::warning, "old_process_ended",
             {{"pid", taker_->from()}, {"why", "it was ended before this one was ready"}});
    succeed();
    takeover_deadline_ = Moment::max();
    if (!config_.ready_with_database) become_ready();
    return;
  }
  if (Clock::now() >= takeover_deadline_)
    failure_ =
        "not ready within TAKEOVER_LIMIT_MS=" + std::to_string(config_.takeover_limit.count()) +
        ": the old process serves on; see why /readyz says no (db_connect_failed above)";
}

// Once: this process serves from here on.
void Lifetime::become_ready() {
  readiness_.end();
  if (taker_) {
    const pid_t from = taker_->from();
    if (const auto left = taker_->ready(); !left) {
      failure_ = "this process does not take over: " + left.error();
      return;
    }
    succeed();
    ops::log(ops::Level::info, "took_over", {{"from", from}});
  }
  ready_ = true;
  if (meeting_fd_ != -1)
    giver_.emplace(std::exchange(meeting_fd_, -1), config_.takeover_limit + beyond_its_limit);
  notifier_.ready("serving at " + sockets_->text());
}

// What the old process had is this one's.
void Lifetime::succeed() {
  taker_.reset();
  sockets_->keep();
}

void Lifetime::step_takeover() {
  if (!giver_) return;
  switch (giver_->step(sockets_->fds())) {
    case ops::Giver::Event::nothing:
      break;
    case ops::Giver::Event::begun:
      ops::log(ops::Level::info, "takeover_begun", {{"by", giver_->peer()}});
      break;
    case ops::Giver::Event::failed:
      ops::log(ops::Level::warning, "takeover_failed",
               {{"by", giver_->peer()}, {"why", giver_->why()}});
      break;
    case ops::Giver::Event::ready:
      leave();
      break;
  }
}

// A supervisor hears of the new process before that one says anything: it would not be listened to.
void Lifetime::leave() {
  const pid_t successor = giver_->peer();
  notifier_.succeeded_by(successor);
  if (giver_->leave()) {
    ops::log(ops::Level::info, "taken_over", {{"by", successor}});
    sockets_->hand_over();
    given_over_ = true;
    return;
  }
  notifier_.succeeded_by(::getpid());
  ops::log(ops::Level::warning, "takeover_failed", {{"by", successor}, {"why", giver_->why()}});
}

// The watchdog is fed only while each shard's turns go on. One that has nothing to do is woken for
// it.
void Lifetime::step_watchdog() {
  const auto watchdog = notifier_.watchdog();
  if (!watchdog || !ready_) return;
  const Moment now = Clock::now();
  if (fed_ != Moment::min() && now < fed_ + *watchdog / 4) return;
  std::map<unsigned, uint64_t> turns = scrape_.turns();
  const bool all = std::ranges::none_of(turns, [this](const auto& shard) {
    const auto before = turns_.find(shard.first);
    return before != turns_.end() && before->second == shard.second;
  });
  for (const auto& shard : shards_) shard->give(Order::beat);
  fed_ = now;
  if (!all) {
    ops::log_limited(ops::Level::error, "shard_hangs",
                     {{"why", "a shard's turns do not go on: the watchdog is not fed"}});
    return;
  }
  turns_ = std::move(turns);
  notifier_.alive();
}

bool Lifetime::takes_passwords_of(const Config& fresh) const {
  return pg::differ_in_passwords_alone(config_.pg.conninfo, fresh.pg.conninfo);
}

// Takes what can be taken from the settings as they are now, and says what can't.
void Lifetime::reload() {
  if (ready_) notifier_.reloading();
  try {
    // A pipe would be waited for, and be empty.
    if (!config_.file.empty() && !std::filesystem::is_regular_file(config_.file))
      throw std::runtime_error(config_.file + " is no file that can be read again");
    const Config fresh = read_config_again(app_, argc_, argv_);
    std::string taken, left;
    for (const std::string& name : changed_settings(config_, fresh)) {
      const bool is_taken = name == "--log-level" || name == "--access-log" ||
                            (name == "--database-url" && takes_passwords_of(fresh));
      std::string& list = is_taken ? taken : left;
      list.append(list.empty() ? "" : " ").append(name);
    }
    if (takes_passwords_of(fresh) && config_.database)
      config_.pg.passwords->replace(fresh.pg.conninfo);
    ops::set_log_level(fresh.log_level);
    access_log_every_ = fresh.access_log_every;
    for (const auto& shard : shards_) shard->give(Order::reload);
    ops::log(ops::Level::warning, "reloaded",
             {{"differs_from_start", taken.empty() ? "nothing" : taken},
              {"needs_a_restart", left.empty() ? "nothing" : left},
              {"read_anew_at_each_connection", "TLS files, password file"}});
  } catch (const std::exception& error) {
    ops::log(ops::Level::error, "not_reloaded", {{"why", error.what()}});
  }
  if (ready_) notifier_.ready("serving at " + sockets_->text());
}

void Lifetime::start_successor() {
  if (!giver_) {
    ops::log(ops::Level::error, "no_successor",
             {{"why", config_.takeover_socket.empty()
                          ? "TAKEOVER_SOCKET is not set: a new process could not take over"
                          : "this process is not ready itself"}});
    return;
  }
  if (const auto pid = successor_->start(notifier_))
    ops::log(ops::Level::info, "successor_started", {{"pid", *pid}});
  else
    ops::log(ops::Level::error, "no_successor", {{"why", pid.error()}});
}

// Who comes from now on makes sockets of its own. One that has them already and is not ready yet
// keeps them: it is the only one from here on.
void Lifetime::end_meeting() {
  if (giver_ && giver_->has_begun())
    sockets_->hand_over();
  else if (giver_)
    meeting_file_.remove();
  giver_.reset();
}

// Serves on for the drain's delay, while /readyz sends balancers elsewhere.
void Lifetime::lead_away(int signal) {
  if (config_.drain_delay.count() == 0) return;
  ops::log(ops::Level::info, "leaving",
           {{"signal", signal}, {"delay_ms", config_.drain_delay.count()}});
  for (const auto& shard : shards_) shard->give(Order::leave);
  const Moment end = Clock::now() + config_.drain_delay;
  while (ended_ == 0 && Clock::now() < end) {  // a shard that fails cuts it short
    const int second = next_signal(std::min(end, due()));
    if (second == SIGTERM || second == SIGINT)
      end_at_once(128 + second, "ended_at_once", {{"signal", second}});
    all_ended();
    step_watchdog();
  }
}

// `signal`: 0 when another process serves by now.
int Lifetime::drain(int signal) {
  if (signal != 0) {
    notifier_.stopping();
    end_meeting();
    lead_away(signal);
  }
  ops::log(ops::Level::info, "draining",
           {{"signal", signal}, {"limit_ms", config_.drain_limit.count()}});
  const Order order = given_over_              ? Order::hand_over
                      : sockets_->are_shared() ? Order::share
                                               : Order::drain;
  sockets_->close();
  for (const auto& shard : shards_) shard->give(order);
  const Moment limit = Clock::now() + config_.drain_limit;
  while (!all_ended()) {
    if (Clock::now() >= limit) {
      ops::log(ops::Level::warning, "drain_limit_reached", {});
      cancel();
      return 1;
    }
    // A shard that fails now is told of at the end: the others still answer what they were asked.
    const int second = next_signal(std::min(limit, due()));
    if (second == SIGTERM || second == SIGINT)
      end_at_once(128 + second, "ended_at_once", {{"signal", second}});
    step_watchdog();
  }
  note_failure();
  return 0;
}

// By `failure_`. What others serve too is left to them, and what was begun is answered.
int Lifetime::end_failed() {
  notifier_.stopping();
  if (taker_) {
    taker_.reset();
    sockets_->close();
    for (const auto& shard : shards_) shard->give(Order::share);
    const Moment limit = Clock::now() + config_.drain_limit;
    while (!all_ended() && Clock::now() < limit) next_signal(limit);
  }
  cancel();
  return 1;
}

// Gives up what is in flight, and waits for the threads, but not for ever: one that does not end
// is left, with the process.
void Lifetime::cancel() {
  for (const auto& shard : shards_) shard->give(Order::cancel);
  const Moment limit = Clock::now() + cancel_limit;
  while (!all_ended()) {
    if (Clock::now() >= limit)
      end_at_once(1, "shards_do_not_end", {{"of", started_}, {"ended", ended_}});
    const int second = next_signal(limit);
    if (second == SIGTERM || second == SIGINT)
      end_at_once(128 + second, "ended_at_once", {{"signal", second}});
  }
}

void Lifetime::end_at_once(int status, std::string_view event,
                           std::initializer_list<ops::Field> fields) {
  ops::log(ops::Level::warning, event, fields);
  ops::end_log();
  if (!failure_.empty()) ops::write_line(std::string(app_.about().name) + ": " + failure_);
  std::_Exit(status);
}

}  // namespace ringpost::service
