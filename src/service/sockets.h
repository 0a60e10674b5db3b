// Sockets: where a process listens: sockets that it has made, that were passed to it at its start
// (LISTEN_FDS), or that it took over from the process before it.
//
// It owns one descriptor of each, to hand them over; shards get their own. A TCP address has one
// for each shard, over which the kernel spreads connections; a UNIX socket has one, at which all
// shards accept. The files of UNIX sockets are removed when it is closed, unless somebody else has
// the sockets too, or has put another file there.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "src/io/address.h"
#include "src/io/error.h"
#include "src/io/socket_file.h"
#include "src/service/config.h"

namespace ringpost::service {

// As io::listen_unix; what a process holds that has ended is waited for.
io::Result<int> listen_once_free(const io::Address& address, int type, mode_t mode, int backlog);

class Sockets {
 public:
  // By LISTEN_HOST and PORT. Each throws std::runtime_error with what is wrong and what to do.
  static Sockets open(const Config& config, unsigned shards);
  // `passed`: by a supervisor, that keeps them. Where one is not at an address of the settings, and
  // these were given, that is an error: a setting has its effect, or is refused.
  static Sockets adopt(const std::vector<int>& fds, const Config& config, bool passed);

  Sockets(Sockets&& other) noexcept;
  Sockets& operator=(Sockets&&) = delete;
  ~Sockets() { close(); }

  // Descriptors for each of so many shards, which become theirs: at least one each, and every
  // socket is some shard's.
  std::vector<std::vector<int>> share(unsigned shards) const;
  std::vector<int> fds() const;
  // "[::]:8080, /run/http.sock".
  std::string text() const;

  // Another process accepts at them, or will: those who wait are left to it.
  bool are_shared() const { return shared_; }
  void hand_over() { shared_ = true; }
  // No longer.
  void keep() { shared_ = false; }
  // This process's own descriptors. REQUIRES: no more is shared out.
  void close();

 private:
  struct Socket {
    int fd;
    io::Address address;
    io::SocketFile file;
  };
  Sockets() = default;
  void add(int fd, const io::Address& address);
  void listen_tcp(const Config& config, const std::string& host, unsigned shards);
  void listen_unix(const Config& config, const std::string& path);
  void compare(const Config& config, const std::string& whose) const;

  std::vector<Socket> all_;
  bool shared_ = false;
};

// The parts of LISTEN_HOST.
std::vector<std::string> listening_hosts(const std::string& hosts);

}  // namespace ringpost::service
