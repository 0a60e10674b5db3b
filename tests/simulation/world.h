// World: virtual time and what happens in it, in the order of time and, at one moment, in the order
// in which it was planned. Nothing here sleeps: time jumps to the next event.
//
// It also keeps the trace (the last events, and a hash of all of them) and is where a violated
// invariant is reported: the first ends the process, since what comes after it proves nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulation/faults.h"
#include "tests/simulation/random.h"

namespace ringpost::simulation {

using Time = std::chrono::nanoseconds;  // since the world began
using namespace std::chrono_literals;

struct Counts {
  uint64_t connections = 0, requests = 0, answers = 0, queries = 0, events = 0, turns = 0;
};

class World {
 public:
  // The one that is being simulated, for a watchdog; nullptr when there is none.
  static World* current;

  World(uint64_t seed, const Faults& enabled) : random(seed), faults(enabled) { current = this; }
  ~World() { current = nullptr; }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Time now() const { return now_; }
  // Plans `event` for `moment`, now or later.
  void at(Time moment, std::function<void()> event);
  void after(Time delay, std::function<void()> event) { at(now_ + delay, std::move(event)); }

  // Runs all that happens up to `moment`, which then is now.
  void run_until(Time moment);
  // Runs what happens next, at its moment. False when nothing is planned.
  bool step();
  bool idle() const { return events_.empty(); }

  // The process does not run for `pause`; all else goes on.
  void stop_for(Time pause);
  // Time that has passed while the process was stopped, which deadlines have to allow for.
  Time stopped_for() const { return stopped_ + (stopped_since_ ? now_ - *stopped_since_ : Time{}); }

  // A line of the trace: what happened, to whom. Cheap, for it is made of numbers.
  void note(const char* what, int64_t who = 0, int64_t how_much = 0);
  uint64_t trace_hash() const { return hash_; }
  void print_trace() const;

  // An invariant does not hold.
  [[noreturn]] void violated(const std::string& what);

  // The program has called its kernel, and the world works, not the program.
  class Turn {
   public:
    explicit Turn(World& world) : world_(world) { world_.in_turn_ = true; }
    ~Turn() { world_.in_turn_ = false; }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    World& world_;
  };
  bool in_turn() const { return in_turn_; }

  Random random;
  Faults faults;
  Counts counts;
  int verbose = 0;  // 1: print_trace() when an invariant is violated; 2: all, as it happens

 private:
  struct Event {
    Time moment;
    uint64_t number;
    std::function<void()> run;
  };
  struct Later {
    bool operator()(const Event& a, const Event& b) const {
      return a.moment != b.moment ? a.moment > b.moment : a.number > b.number;
    }
  };
  struct Note {
    Time when;
    const char* what;
    int64_t who, how_much;
  };

  bool in_turn_ = false;
  Time now_{};
  Time stopped_{};
  std::optional<Time> stopped_since_;
  uint64_t planned_ = 0;
  std::priority_queue<Event, std::vector<Event>, Later> events_;
  std::vector<Note> trace_ = std::vector<Note>(400);
  uint64_t noted_ = 0, hash_ = 1469598103934665603;
};

}  // namespace ringpost::simulation
