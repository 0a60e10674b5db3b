// Spread: which connection a query goes to.
//
// Two kinds of statements are kept apart, as a quick one behind a slow one waits for nothing:
//
// - quick ones take the least loaded of the first few connections that are open; how few is learnt
//   (width.h). One backend that answers many of them for one wake-up is the cheapest way.
// - slow ones take an idle connection from the other end, again as many as help; and any that is
//   idle before they wait long. While there are quick ones, their connections are left alone,
//   unless there is no other.
//
// What is learnt is learnt by all shards of a process together: each for itself would take more and
// more of the same CPUs from the others, find that this helps, and all would be worse off.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "src/io/clock.h"
#include "src/pg/width.h"

namespace ringpost::pg {

// Of a query, by the average time of its statement.
enum class Kind : uint8_t { quick, slow };

class Spread {
 public:
  static constexpr size_t kinds = 2;
  // A statement that takes as long is slow: its time is large beside that of a wake-up. It is quick
  // again below half of that.
  static constexpr std::chrono::microseconds slow_from{500};
  static constexpr Kind kind(std::chrono::duration<float, std::micro> cost, Kind before) {
    return cost < (before == Kind::quick ? slow_from : slow_from / 2) ? Kind::quick : Kind::slow;
  }

  // What the queries of one shard do; written by its thread alone.
  class alignas(64) Meter {
   public:
    void begin(Kind kind, io::Time now);
    // A query ends; `answered`, and not given up or refused.
    void end(Kind kind, bool answered, io::Time now);
    void pressed(Kind kind) { add(of_[index(kind)].pressed, 1); }
    uint64_t in_flight(Kind kind) const {
      return of_[index(kind)].in_flight.load(std::memory_order_relaxed);
    }
    // When last a query of this kind ended or began.
    io::Time last(Kind kind) const { return of_[index(kind)].last; }

   private:
    friend class Spread;
    struct Of {
      std::atomic<uint64_t> waited_ns = 0, answered = 0, pressed = 0, in_flight = 0;
      io::Time last;
    };
    static size_t index(Kind kind) { return static_cast<size_t>(kind); }
    static void add(std::atomic<uint64_t>& sum, uint64_t more) {
      sum.store(sum.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
    }
    void pass(Of& of, io::Time now);
    std::array<Of, kinds> of_;
  };

  // `most`: connections of a shard. Where nothing is to be learnt, all are used by all queries.
  // Shards may call all of it at the same time.
  explicit Spread(uint32_t most, bool learns = true);

  // A shard's own, as long as the Spread.
  Meter& add_shard();
  uint32_t width(Kind kind) const {
    return in_force_[static_cast<size_t>(kind)].load(std::memory_order_relaxed);
  }
  // How many connections slow queries leave alone, from the beginning.
  uint32_t left_alone() const { return learns_ ? width(Kind::quick) : 0; }
  // Looks at what all shards have done. To be called often: it does nothing most of the time.
  void look(io::Time now);

 private:
  const bool learns_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Meter>> meters_;  // under the mutex, as widths_
  std::array<Width, kinds> widths_;
  std::array<std::atomic<uint32_t>, kinds> in_force_;
  std::atomic<int64_t> next_look_ = 0;  // nanoseconds of the clock
};

// The choice itself, over whatever answers what Connection does: ready(), available(), has_room(),
// depth(), load().
template <class Connection>
struct Choice {
  Connection* connection = nullptr;  // none has room
  bool pressed = false;              // those that are to be used are all busy
  bool wants_another = false;        // of the connections that are not open yet
  bool passed_over = false;          // one that is open and has no room
};

// Queries in flight from which a connection is busy enough that another one may help.
inline constexpr uint32_t busy_depth = 8;
// Since the last quick query, while the connections of quick ones are kept for them.
inline constexpr std::chrono::milliseconds kept_for{100};
// A slow query that would wait as long for those before it takes any connection that is idle.
inline constexpr std::chrono::milliseconds long_wait{50};

template <class Connection, class At>
Choice<Connection> choose_for_quick(size_t count, At at, uint32_t width) {
  Choice<Connection> choice;
  uint32_t open = 0;
  for (size_t i = 0; i < count && (open < width || choice.connection == nullptr); ++i) {
    Connection& each = at(i);
    if (!each.ready()) continue;
    ++open;
    if (!each.has_room()) {
      choice.passed_over = true;
      continue;
    }
    if (choice.connection == nullptr || each.load() < choice.connection->load())
      choice.connection = &each;
  }
  choice.pressed = choice.connection == nullptr || choice.connection->depth() >= busy_depth;
  choice.wants_another = choice.connection == nullptr || open < width;
  return choice;
}

// `left_alone`: connections from the beginning that are for quick queries.
template <class Connection, class At>
Choice<Connection> choose_for_slow(size_t count, At at, uint32_t width, uint32_t left_alone) {
  Choice<Connection> choice;
  uint32_t open = 0, others = 0;
  for (size_t i = 0; i < count; ++i) open += at(i).ready() ? 1 : 0;
  for (size_t i = count; i-- > 0;) {
    Connection& each = at(i);
    if (!each.ready()) continue;
    if (others > 0 && open - others <= left_alone) break;
    ++others;
    const bool beyond = others > width;
    if (beyond && choice.connection != nullptr && choice.connection->load() < long_wait) break;
    if (!each.has_room()) {
      choice.passed_over = true;
      continue;
    }
    if (choice.connection == nullptr || each.load() < choice.connection->load())
      choice.connection = &each;
    if (each.depth() == 0) break;
  }
  choice.pressed = choice.connection == nullptr || choice.connection->depth() != 0;
  const bool helps =
      others < width || choice.connection == nullptr || choice.connection->load() >= long_wait;
  choice.wants_another = (choice.pressed && helps) || open - others < left_alone;
  return choice;
}

}  // namespace ringpost::pg
