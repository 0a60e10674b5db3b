// Client: one simulated HTTP connection, and the model of what it must be told. It sends requests
// as its nature is (at once, pipelined, byte by byte, in part), reads as fast or as slowly, and
// judges each byte that it receives: each request has one answer at most, the right one, in order;
// and whatever the client does, its wait ends in time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "src/service/config.h"
#include "tests/simulation/kernel.h"
#include "tests/simulation/postgres.h"
#include "tests/simulation/request.h"
#include "tests/simulation/response.h"

namespace ringpost::simulation {

// What all clients of a simulation share.
struct Stage {
  World& world;
  Kernel& kernel;
  std::vector<Postgres*> servers;  // one, or two of the same rows
  const Table& table;
  const service::Config& config;
  size_t outstanding = 0, most_outstanding = 0;  // requests that ask the database
  Time query_time{};               // what one of them takes, on a connection that has many
  uint64_t internal_answers = 0;   // 500
  size_t open = 0, attentive = 0;  // clients that have not ended, and those that read at once
  // When the orders were given.
  Time left_at = Time::max(), drained_at = Time::max(), cancelled_at = Time::max();

  bool cancelled() const { return cancelled_at != Time::max(); }
  // What PostgreSQL has done that a client may be told of by 503; and how often by 500.
  bool troubled() const {
    return std::any_of(servers.begin(), servers.end(),
                       [](const Postgres* each) { return each->troubled_at > -1h; });
  }
  uint64_t internal_errors() const {
    uint64_t sum = 0;
    for (const Postgres* each : servers) sum += each->internal_errors;
    return sum;
  }
};

// What it does. The default is a good client that sends one request after the other.
struct Nature {
  size_t requests = 1;
  size_t outstanding = 1;       // requests that are sent before the first of them is answered
  size_t piece = 0;             // bytes that are sent at a time, 0: all
  Time gap{};                   // between two of them
  Time thinks{};                // before each request
  size_t stops_at = SIZE_MAX;   // the byte before which it stalls, for good
  size_t resets_at = SIZE_MAX;  // bytes received, after which it resets
  Time resets_after = Time::max();
  size_t reads = SIZE_MAX;  // bytes at a time, 0: nothing
  Time reads_every{};
  bool greedy = false;       // asks for the largest pages
  bool half_closes = false;  // ends its side when all is sent
  bool stays = false;        // waits for the server to end the connection
};
Nature draw_nature(Random& random, const Faults& faults);

class Client final : public Side::Owner, public std::enable_shared_from_this<Client> {
 public:
  Client(Stage& stage, Nature nature, int64_t number, std::vector<Request> requests);
  ~Client();

  // Connects, and lives by itself from here on.
  void start(int listening_fd, Time latency, size_t segment);
  bool ended() const { return ended_; }
  size_t answered() const { return answered_; }
  // All were answered by what is best.
  bool all_well() const { return answered_ == requests_.size() && all_well_; }

  void changed(Side& side) override;

 private:
  void begin_requests();
  void send();
  void send_later(Time delay);
  size_t may_send() const;
  void receive();
  void read_later();
  void take(const Response& response);
  void judge(const Request& request, const Response& response);
  void server_ended();
  size_t owed_bytes() const;
  void finish(bool abort);
  bool incomplete() const { return answered_ < requests_.size() && sent_ < ends_[answered_]; }
  size_t begin_of(size_t index) const { return index == 0 ? 0 : ends_[index - 1]; }
  void count_outstanding();

  void watch();
  void check_wait();
  Time patience() const;
  [[noreturn]] void violated(const std::string& what) const;

  Stage& stage_;
  World& world_;
  Nature nature_;
  int64_t number_;
  std::shared_ptr<Link> link_;
  std::vector<Request> requests_;
  std::vector<size_t> ends_;  // of each request, in bytes of all
  std::string bytes_;
  size_t sent_ = 0, begun_ = 0, answered_ = 0, counted_ = 0;
  Bytes input_;
  size_t body_of_half_head_ = 0;                 // of a 408, that may come although HEAD was asked
  uint64_t received_ = 0, answer_began_at_ = 0;  // the last answer
  bool continued_ = false, closing_ = false, last_said_close_ = false, half_closed_ = false;
  bool sending_later_ = false, reading_later_ = false, ended_ = false, at_end_ = false;
  bool all_well_ = true, thinking_ = false;
  // What is waited for, and since when.
  struct Awaited {
    size_t answered, sent_whole;
    bool incomplete, accepted, draining;
    uint64_t received;
    bool operator==(const Awaited&) const = default;
  };
  Awaited awaited() const;
  Awaited awaited_{};
  Time since_{}, stopped_before_{};
};

}  // namespace ringpost::simulation
