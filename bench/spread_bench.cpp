// Over which connections queries are spread, in a model of a shard and PostgreSQL: the real choice
// and the real Width (src/pg/spread.h) beside round robin, the least loaded, one connection, and
// packing 24 deep. Events in virtual time; the same table on every machine.
//
// A backend is a process with a queue of queries. It gets a CPU in the order in which it became
// runnable, which costs a switch, and gives it up when its queue is empty or, where others wait,
// after a time slice. A shard takes all that has come in one turn, and what it sends leaves at its
// end.
//
//     spread_bench        the rows of 64 clients
//     spread_bench all    8, 64 and 256 clients, and all kinds of CPUs
//
// Not in the model: shared Syncs, caches that get cold, the kernel's preference for who woke up.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <random>
#include <string_view>
#include <vector>

#include "src/pg/spread.h"

namespace {

using namespace std::chrono_literals;
using ringpost::io::Duration;
using ringpost::io::Time;
using ringpost::pg::Choice;
using ringpost::pg::kept_for;
using ringpost::pg::Kind;
using ringpost::pg::Spread;

constexpr size_t connections = 30;
constexpr Duration dispatch = 10us, slice = 3ms, turn = 5us, request = 5us, network = 20us;
constexpr Duration measured_from = 4s, measured_until = 6s;

// What a query of this kind is: CPU time, then a wait without any (for a disk, or a lock).
struct Statement {
  Duration cpu, wait;
};
constexpr Statement lookup{8us, 0us}, page{800us, 0us}, waiting{10us, 5ms};

struct Query {
  const Statement* statement;
  Time asked, sent;
  std::chrono::duration<float, std::micro> charged{};
  Kind kind = Kind::quick;
};

struct Connection {
  std::deque<Query> queries;  // in flight: until the shard has seen the answer
  std::chrono::duration<float, std::micro> charged{};
  size_t to_execute = 0;  // of those, from the end
  Time last_answer;
  bool active = false;  // runnable, running or waiting

  bool ready() const { return true; }
  bool has_room() const { return queries.size() < 256; }
  uint32_t depth() const { return static_cast<uint32_t>(queries.size()); }
  auto load() const { return charged; }
};

enum class Policy { round_robin, least_loaded, packing, one, learnt };
constexpr const char* policy_names[] = {"round robin", "least loaded", "24 deep, 2 ms", "one",
                                        "learnt"};

struct Load {
  const char* name;
  const Statement* often;
  const Statement* seldom;
  double part_seldom;
};
constexpr Load loads[] = {{"lookups", &lookup, &lookup, 0},
                          {"pages", &page, &page, 0},
                          {"80:20", &lookup, &page, 0.2},
                          {"5 ms waits", &waiting, &waiting, 0}};

struct Row {
  unsigned cpus;
  bool shared;  // the shard is on PostgreSQL's CPUs
  unsigned clients;
  const Load* load;
  Policy policy;
};

class Model {
 public:
  explicit Model(const Row& row) : row_(row), cpus_{{row.cpus}, {row.shared ? 0U : 1U}} {}

  void run() {
    for (unsigned i = 0; i < row_.clients; ++i) arrive(now_ + i * 1us);
    while (!events_.empty() && now_ < start_ + measured_until) {
      const Event next = events_.top();
      events_.pop();
      now_ = next.at;
      next.happens();
    }
    print();
  }

 private:
  struct Event {
    Time at;
    uint64_t number;
    std::function<void()> happens;
    bool operator<(const Event& other) const {
      return at != other.at ? at > other.at : number > other.number;
    }
  };
  // CPUs for which processes wait in line. A process runs for a step, and says how it goes on.
  static constexpr size_t shard_process = connections;
  struct Cpus {
    unsigned free;
    std::deque<size_t> line{};
  };

  void at(Time when, std::function<void()> happens) {
    events_.push({when, events_made_++, std::move(happens)});
  }
  bool measured() const { return now_ - start_ >= measured_from; }

  Cpus& cpus_of(size_t process) { return cpus_[process == shard_process && !row_.shared ? 1 : 0]; }
  void runnable(size_t process) {
    cpus_of(process).line.push_back(process);
    give(cpus_of(process));
  }
  void give(Cpus& cpus) {
    if (cpus.free == 0 || cpus.line.empty()) return;
    --cpus.free;
    const size_t process = cpus.line.front();
    cpus.line.pop_front();
    if (process == shard_process) return shard_turn();
    if (measured()) postgres_ += dispatch;
    at(now_ + dispatch, [this, process, since = now_] { execute(process, since); });
  }
  void gives_up(size_t process) {
    Cpus& cpus = cpus_of(process);
    ++cpus.free;
    give(cpus);
  }

  // A backend, on a CPU since then.
  void execute(size_t process, Time since) {
    Connection& connection = connections_[process];
    if (connection.to_execute == 0) {
      connection.active = false;
      return gives_up(process);
    }
    if (now_ - since >= slice && !cpus_of(process).line.empty()) {
      cpus_of(process).line.push_back(process);
      return gives_up(process);
    }
    const Statement& statement =
        *connection.queries[connection.queries.size() - connection.to_execute].statement;
    if (measured()) postgres_ += statement.cpu;
    at(now_ + statement.cpu, [this, process, since, &statement] {
      if (statement.wait == Duration{}) {
        answer(process);
        return execute(process, since);
      }
      gives_up(process);
      at(now_ + statement.wait, [this, process] {
        answer(process);
        runnable(process);
      });
    });
  }
  void answer(size_t process) {
    --connections_[process].to_execute;
    answers_.push_back({process, now_});
    wake_shard();
  }

  void arrive(Time when) {
    at(when, [this] {
      asked_.push_back(now_);
      wake_shard();
    });
  }
  void wake_shard() {
    if (shard_active_) return;
    shard_active_ = true;
    runnable(shard_process);
  }
  void shard_turn() {
    const size_t answers = answers_.size(), asked = asked_.size();
    at(now_ + turn + request * asked, [this, answers, asked] {
      for (size_t i = 0; i < answers; ++i) take_answer(answers_[i].process, answers_[i].at);
      answers_.erase(answers_.begin(), answers_.begin() + static_cast<ptrdiff_t>(answers));
      spread_.look(now_);
      for (size_t i = 0; i < asked; ++i) send(asked_[i]);
      asked_.erase(asked_.begin(), asked_.begin() + static_cast<ptrdiff_t>(asked));
      shard_active_ = !answers_.empty() || !asked_.empty();
      if (shard_active_) cpus_of(shard_process).line.push_back(shard_process);
      gives_up(shard_process);
    });
  }

  float& cost(const Statement* statement) { return costs_[statement == row_.load->seldom ? 1 : 0]; }
  // As Load learns it: since the answer before it, or its sending; what took longer counts little.
  // The rules before it took the average.
  void take_answer(size_t process, Time answered_at) {
    Connection& connection = connections_[process];
    const Query query = connection.queries.front();
    connection.queries.pop_front();
    connection.charged -= query.charged;
    const std::chrono::duration<float, std::micro> took =
        answered_at - std::max(query.sent, connection.last_answer);
    connection.last_answer = answered_at;
    const float change = (took.count() - cost(query.statement)) / 16;
    cost(query.statement) += change > 0 && row_.policy == Policy::learnt ? change / 8 : change;
    meter_.end(query.kind, true, now_);
    if (connection.queries.empty()) --used_;
    if (measured()) {
      (query.statement == row_.load->seldom ? of_seldom_ : of_often_).push_back(now_ - query.asked);
      ++answered_;
      used_sum_ += used_ + (connection.queries.empty() ? 1 : 0);
    }
    arrive(now_ + network);
  }
  void send(Time asked) {
    std::uniform_real_distribution<double> part(0, 1);
    Query query{part(random_) < row_.load->part_seldom ? row_.load->seldom : row_.load->often,
                asked, now_};
    if (row_.load->part_seldom == 0) query.statement = row_.load->seldom;
    query.charged = std::chrono::duration<float, std::micro>(cost(query.statement));
    Kind& kind = kinds_[query.statement == row_.load->seldom ? 1 : 0];
    query.kind = kind = Spread::kind(query.charged, kind);
    meter_.begin(query.kind, now_);
    const size_t process = choose(query.kind);
    Connection& connection = connections_[process];
    if (connection.queries.empty()) ++used_;
    connection.charged += query.charged;
    connection.queries.push_back(query);
    ++connection.to_execute;
    if (connection.active) return;
    connection.active = true;
    runnable(process);
  }

  size_t choose(Kind kind) {
    const auto lighter = [](const Connection& a, const Connection& b) {
      return a.charged < b.charged;
    };
    const auto least = [&] {
      return static_cast<size_t>(
          std::min_element(connections_.begin(), connections_.end(), lighter) -
          connections_.begin());
    };
    switch (row_.policy) {
      case Policy::round_robin:
        return next_++ % connections;
      case Policy::least_loaded:
        return least();
      case Policy::one:
        return 0;
      case Policy::packing:
        for (size_t i = 0; i < connections; ++i)
          if (connections_[i].depth() < 24 && connections_[i].charged < 2ms) return i;
        return least();
      case Policy::learnt:
        break;
    }
    const auto at = [this](size_t i) -> Connection& { return connections_[i]; };
    const bool keep = now_ < meter_.last(Kind::quick) + kept_for;
    const Choice<Connection> choice =
        kind == Kind::quick
            ? ringpost::pg::choose_for_quick<Connection>(connections, at, spread_.width(kind))
            : ringpost::pg::choose_for_slow<Connection>(connections, at, spread_.width(kind),
                                                        keep ? spread_.width(Kind::quick) : 0);
    if (choice.pressed) meter_.pressed(kind);
    return static_cast<size_t>(choice.connection - connections_.data());
  }

  static double ms(std::vector<Duration>& of, double part) {
    if (of.empty()) return 0;
    const auto place =
        of.begin() + static_cast<ptrdiff_t>(part * static_cast<double>(of.size() - 1));
    std::nth_element(of.begin(), place, of.end());
    return std::chrono::duration<double, std::milli>(*place).count();
  }
  void print() {
    const double count = static_cast<double>(std::max<uint64_t>(answered_, 1));
    const bool mixed = row_.load->part_seldom > 0;
    std::vector<Duration>& first = mixed ? of_often_ : of_seldom_;
    std::printf("| %u%s | %3u | %-10s | %-13s | %7.0f | %7.2f / %7.2f |", row_.cpus,
                row_.shared ? " shared" : "", row_.clients, row_.load->name,
                policy_names[static_cast<size_t>(row_.policy)],
                count / std::chrono::duration<double>(measured_until - measured_from).count(),
                ms(first, 0.5), ms(first, 0.99));
    if (mixed)
      std::printf(" %7.2f / %7.2f |", ms(of_seldom_, 0.5), ms(of_seldom_, 0.99));
    else
      std::printf(" |");
    std::printf(" %6.1f | %4.1f |\n",
                std::chrono::duration<double, std::micro>(postgres_).count() / count,
                static_cast<double>(used_sum_) / count);
  }

  struct Answer {
    size_t process;
    Time at;
  };
  const Row row_;
  Cpus cpus_[2];
  const Time start_{1h};
  Time now_ = start_;
  uint64_t events_made_ = 0;
  std::priority_queue<Event> events_;
  std::vector<Connection> connections_{connections};
  Spread spread_{connections};
  Spread::Meter& meter_ = spread_.add_shard();
  std::vector<Answer> answers_;
  std::vector<Time> asked_;
  bool shard_active_ = false;
  float costs_[2] = {0, 0};
  Kind kinds_[2] = {Kind::quick, Kind::quick};
  size_t next_ = 0;
  std::minstd_rand random_;
  // What is printed; connections that have something to do, summed over the answers.
  std::vector<Duration> of_often_, of_seldom_;
  Duration postgres_{};
  uint64_t answered_ = 0, used_ = 0, used_sum_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const bool all = argc > 1 && std::string_view(argv[1]) == "all";
  std::puts(
      "| CPUs | clients | load | connections | requests/s | p50 / p99 ms | of pages | PostgreSQL "
      "us a "
      "request | used |\n|---|---|---|---|---|---|---|---|---|");
  struct Machine {
    unsigned cpus;
    bool shared;
  };
  for (const Machine machine : {Machine{1, true}, {1, false}, {2, false}, {4, false}, {8, false}})
    for (const unsigned clients : {8U, 64U, 256U})
      for (const Load& load : loads)
        for (int policy = 0; policy < 5; ++policy) {
          const bool brief =
              clients == 64 && machine.cpus <= 2 && !machine.shared && &load != &loads[1];
          if (all || brief)
            Model({machine.cpus, machine.shared, clients, &load, static_cast<Policy>(policy)})
                .run();
        }
}
