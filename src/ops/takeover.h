// Takeover: a new process gets the listening sockets of the one that serves, so that nobody is
// refused while one replaces the other. They meet at a UNIX socket (SOCK_SEQPACKET: a packet each):
//
//     new → old   "ringpost takeover 1"
//     old → new   "sockets 2 of 3, process 4711" with 2 descriptors; again until all have come, of
//                 which the first is the socket where they meet: the new process is the next old
//     new → old   "ready"      its shards serve, and its database answers
//     old → new   "leaving"    the old one drains, and ends; anything else is why it serves on
//
// Both processes accept at the same sockets in between: one queue, in which nobody is lost. When
// the new one ends, or says nothing, before it is ready, the old one serves on as if it had never
// been. When the old one is gone before "leaving", the new one has all it needs.
//
// Giver is the old one's side: it never waits, its owner polls. Taker is the new one's, at its
// start: it waits, with a deadline.
#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sys/types.h>

namespace ringpost::ops {

using TakeoverClock = std::chrono::steady_clock;

class Giver {
 public:
  // Meets at the listening socket `fd`, which becomes its own. Who has begun and is not ready
  // within `limit` is given up.
  Giver(int fd, std::chrono::milliseconds limit) : listening_(fd), limit_(limit) {}
  Giver(const Giver&) = delete;
  Giver& operator=(const Giver&) = delete;
  ~Giver();

  // To be polled for POLLIN; one at a time is served.
  int watched() const { return peer_ != -1 ? peer_ : listening_; }
  // When step() is due though nothing has come.
  std::optional<TakeoverClock::time_point> due() const;

  enum class Event {
    nothing,
    begun,   // the sockets have been handed over; peer() is who has them
    failed,  // that one has ended or is silent: why()
    ready,   // it is ready, and waits for leave()
  };
  // `sockets`: the listening ones, which stay this process's.
  Event step(std::span<const int> sockets);
  // Tells who is ready that this process leaves; false when it has ended meanwhile, and this one
  // has to serve on. Nothing further is handed over, and the meeting point is the other's.
  // REQUIRES: step() has said ready, and was not called since.
  bool leave();
  pid_t peer() const { return peer_pid_; }
  // Somebody has the sockets, and is not ready yet.
  bool has_begun() const { return begun_; }
  const std::string& why() const { return why_; }

 private:
  bool admit();
  Event begin(std::span<const int> sockets);
  Event fail(std::string why);
  void drop();

  int listening_, peer_ = -1;
  std::chrono::milliseconds limit_;
  TakeoverClock::time_point deadline_{};
  pid_t peer_pid_ = 0;
  bool begun_ = false;
  std::string why_;
};

class Taker {
 public:
  // Asks at `path` (one that begins with '@' is a name without a file). Nothing when nobody is
  // there, or who was has ended without a word; the error says why who is there gives none. `until`
  // is for all of the start. Each wait ends when `end_fd` becomes readable (-1: none), which
  // outlives it: a signalfd.
  static std::expected<std::optional<Taker>, std::string> ask(const std::string& path,
                                                              TakeoverClock::time_point until,
                                                              int end_fd = -1);
  Taker(Taker&& other) noexcept;
  Taker& operator=(Taker&&) = delete;
  ~Taker();

  // Whom the sockets are from.
  pid_t from() const { return from_; }
  // Each becomes the caller's who takes it; what is left is closed.
  int take_meeting();
  std::vector<int> take_sockets();

  // The old process has ended before it was told that this one is ready, and without giving it up:
  // what it had is this one's.
  bool is_alone() const;
  // Says that this process is ready, and waits until the old one leaves. An error when it has given
  // this one up meanwhile, and serves on: this one has to end.
  std::expected<void, std::string> ready();

 private:
  Taker(int fd, int end_fd, TakeoverClock::time_point until)
      : fd_(fd), end_fd_(end_fd), until_(until) {}
  // False when the other one has ended without a word.
  std::expected<bool, std::string> receive();
  void close_all();

  int fd_, end_fd_, meeting_ = -1;
  TakeoverClock::time_point until_;
  std::vector<int> sockets_;
  pid_t from_ = 0;
};

}  // namespace ringpost::ops
