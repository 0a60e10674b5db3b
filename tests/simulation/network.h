// Links: connected pairs of sockets in memory. Each side has a send buffer of its kernel, whose
// bytes travel with some latency into the other side's receive buffer while there is room, as TCP's
// window allows; a FIN goes behind the last byte, a reset past all of them.
//
// Whoever uses a side is told when something about it has changed. A Link lives as long as a side
// or an event on its way knows it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "tests/simulation/world.h"

namespace ringpost::simulation {

class Link;

// Bytes in the order in which they came, taken from the front.
class Bytes {
 public:
  size_t size() const { return bytes_.size() - taken_; }
  bool empty() const { return size() == 0; }
  std::string_view view() const { return std::string_view(bytes_).substr(taken_); }
  void append(std::string_view bytes) { bytes_.append(bytes); }
  void take(size_t count) {
    taken_ += count;
    if (taken_ == bytes_.size()) {
      clear();
    } else if (taken_ > 65'536 && taken_ * 2 > bytes_.size()) {
      bytes_.erase(0, taken_);
      taken_ = 0;
    }
  }
  void clear() {
    bytes_.clear();
    taken_ = 0;
  }

 private:
  std::string bytes_;
  size_t taken_ = 0;
};

class Side {
 public:
  // Told of changes: bytes, their end, an error, room to send. It outlives the side's use, or takes
  // itself off.
  struct Owner {
    virtual void changed(Side& side) = 0;

   protected:
    ~Owner() = default;
  };

  // The most that may travel and wait there unread, and what the kernel takes of a send.
  size_t receive_room = 65'536, send_room = 65'536;
  Owner* owner = nullptr;

  size_t readable() const { return received_.size(); }
  std::string_view unread() const { return received_.view(); }
  // Takes `count` bytes of what is unread.
  void read(size_t count);
  bool at_end() const { return ended_ && received_.empty(); }
  // ECONNRESET once after a reset, behind what had come before it; 0 otherwise. take_error() clears
  // it, as the kernel does when it reports it.
  int error() const { return error_; }
  int take_error() { return std::exchange(error_, 0); }
  bool was_reset() const { return reset_; }
  // The other side has closed, or this one has shut its sending down: sending is EPIPE.
  bool broken() const { return reset_ || send_shut_; }

  size_t send_space() const { return unsent_.size() >= send_room ? 0 : send_room - unsent_.size(); }
  size_t unsent() const { return unsent_.size(); }
  // REQUIRES: no more than send_space(), not broken().
  void write(std::string_view bytes);
  uint64_t written() const { return written_; }
  uint64_t consumed() const { return consumed_; }

  void shut_sending();
  // Ends this side: with a reset when that was asked for, or when bytes are left unread.
  void close(bool abort);
  bool closed() const { return closed_; }
  bool send_shut() const { return send_shut_; }
  Side& peer() const;
  Link& link() const { return *link_; }

 private:
  friend class Link;
  void tell();

  Link* link_ = nullptr;
  Bytes received_, unsent_;
  size_t travelling_ = 0;
  uint64_t written_ = 0, consumed_ = 0;
  int error_ = 0;
  bool ended_ = false, reset_ = false, send_shut_ = false, fin_sent_ = false, closed_ = false,
       moving_ = false;
};

class Link : public std::enable_shared_from_this<Link> {
 public:
  // `latency`: the longest that a piece takes one way.
  Link(World& world, int64_t number, Time latency);

  Side client, server;
  const int64_t number;
  // The bytes that leave at once; 0 stands for all.
  size_t segment = 0;

  // What the kernel notes of the program's side: when it was accepted, what it had read when its
  // end began, and how it stood when draining began.
  Time accepted_at = Time::max();
  bool end_begun = false, quiet_at_drain = false;
  uint64_t consumed_at_end = 0, consumed_at_drain = 0, written_at_drain = 0;

 private:
  friend class Side;
  void move(Side& from);
  void arrive(Side& from, const std::string& bytes);
  void reset(Side& from);
  Time travel();

  World& world_;
  Time latency_;
};

}  // namespace ringpost::simulation
