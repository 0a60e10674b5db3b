#include "src/io/reactor.h"

#include <algorithm>
#include <ctime>

#include "src/io/buffer_group.h"
#include "src/io/scope.h"

namespace ringpost::io {

namespace {
constexpr std::chrono::milliseconds long_turn{300};
// While requests are in flight no turn sleeps longer than this: one that takes longer than the
// above has not slept, but has not run.
constexpr std::chrono::milliseconds longest_sleep{250};
}  // namespace

Reactor::Reactor(Duration turn_wait)
    : ring_(reactor_submissions, reactor_completions),
      batch_(turn_wait),
      now_(Clock::now()),
      timers_(now_) {
  read_clocks();
}

Reactor::~Reactor() = default;

void Reactor::read_clocks() {
  now_ = Clock::now();
  timespec wall;
  clock_gettime(CLOCK_REALTIME_COARSE, &wall);
  unix_seconds_ = wall.tv_sec;
}

void Reactor::run(Task<void> task) {
  Scope scope(*this);
  scope.spawn(std::move(task));
  while (scope.running() != 0) turn(true);
  // Closes and cancellations that the last turn has prepared.
  if (alarm_.set_for != never) ring_.cancel(alarm_);
  while (alarm_.set_for != never) turn(true);
  turn(false);
}

void Reactor::turn(bool wait) {
  while (!before_sends_.empty()) before_sends_.pop_front().flush();
  while (!flushes_.empty()) flushes_.pop_front().flush();
  for (BufferGroup* group : groups_) group->publish();
  set_alarm();
  submit(wait && ready_.empty());
  const Time before = now_;
  read_clocks();
  if (now_ - before > long_turn) [[unlikely]]
    resumed_ = now_;
  // Between that call's return and here the process may have been stopped, or have waited for its
  // CPU: what has come by now is taken before anything is called late.
  if (timers_.next() <= now_) ring_.submit(false);
  const unsigned completions = ring_.reap();
  turns_.add();
  completions_.add(completions);
  batch_.turned(completions, now_ - before);
  timers_.advance(now_);
  List<Wait, Wait> runnable;  // those that become ready from here on wait for the next turn
  runnable.take(ready_);
  while (!runnable.empty()) runnable.pop_front().resume();
  note_running(nullptr);  // the last one is suspended, or gone
}

void Reactor::submit(bool wait) {
  size_t room = reactor_completions;
  for (const BufferGroup* group : groups_) room = std::min(room, group->free());
  const Batch::Wait batch = batch_.next(room);
  if (wait && batch.limit != Duration::zero())
    ring_.submit_and_wait(batch.completions, batch.limit);
  else
    ring_.submit(wait);
}

// One timeout in the kernel stands for all timers. It moves only when an earlier timer appears:
// most are stopped long before they expire, and the alarm that they set rings once for nothing.
void Reactor::set_alarm() {
  Time next = timers_.next();
  if (batch_.in_flight() != 0) next = std::min(next, now_ + longest_sleep);
  if (next >= alarm_.set_for) return;
  const auto since_boot = next.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_boot);
  alarm_.at.tv_sec = seconds.count();
  alarm_.at.tv_nsec = (since_boot - seconds).count();
  if (alarm_.set_for == never)
    io_uring_prep_timeout(ring_.prepare(&alarm_), &alarm_.at, 0, IORING_TIMEOUT_ABS);
  else
    io_uring_prep_timeout_update(ring_.prepare(nullptr), &alarm_.at,
                                 reinterpret_cast<uint64_t>(static_cast<Operation*>(&alarm_)),
                                 IORING_TIMEOUT_ABS);
  alarm_.set_for = next;
}

void Reactor::Alarm::complete(int, uint32_t) {
  set_for = never;
}

}  // namespace ringpost::io
