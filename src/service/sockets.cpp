#include "src/service/sockets.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "src/io/listen.h"

namespace ringpost::service {

namespace {

constexpr int connection_backlog = 4096;
constexpr std::string_view unix_prefix = "unix:";

[[noreturn]] void give_up(const std::string& why) {
  throw std::runtime_error(why);
}

// The kernel takes a killed process's ring apart in a work queue (io_ring_exit_work), so that its
// sockets are held for a moment after it has been waited for, and a supervisor's next one finds
// them taken. Whether `taken` says so for longer than that; blocks.
template <class Taken>
bool stays_taken(Taken taken) {
  using std::chrono::steady_clock;
  const auto end = steady_clock::now() + std::chrono::seconds(2);
  while (taken()) {
    if (steady_clock::now() >= end) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

// SO_REUSEPORT would let a second server share the port in silence: the first bind is without it.
bool is_taken(const io::Address& address) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd == -1) return false;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const bool free = ::bind(fd, address.data(), address.length) == 0 && ::listen(fd, 1) == 0;
  const int error = errno;
  ::close(fd);
  return !free && error == EADDRINUSE;
}

void check_port_is_free(const io::Address& address, const Config& config) {
  if (!stays_taken([&] { return is_taken(address); })) return;
  give_up("port " + address.text() + " is in use; stop what uses it or choose another: PORT=8081" +
          (config.takeover_socket.empty()
               ? ""
               : " (nobody answers at TAKEOVER_SOCKET=" + config.takeover_socket +
                     ": was what uses it started with that?)"));
}

// `::` is both families at once; on a host that has no IPv6 it is IPv4 alone.
bool falls_back_to_ipv4(const std::string& host, const io::Error& error) {
  return host == "::" && (error.code == EAFNOSUPPORT || error.code == EADDRNOTAVAIL);
}

// Whether a socket at that address is what this part of LISTEN_HOST asks for.
bool is_at(const io::Address& address, const std::string& host, uint16_t port) {
  const std::string text = address.text();
  if (host.starts_with(unix_prefix)) return text == host.substr(unix_prefix.size());
  const auto numeric = io::Address::numeric(host, port);
  if (numeric && numeric->text() == text) return true;
  return host == "::" && text == io::Address::numeric("0.0.0.0", port)->text();
}

// Whether who listens at one of them has the other too. What is no address is told of later.
bool has_too(const std::string& one, const std::string& other, uint16_t port) {
  if (one == other) return true;
  const auto address = io::Address::numeric(one, port), within = io::Address::numeric(other, port);
  if (!address || !within) return false;
  const bool any = address->text() == io::Address::numeric("::", port)->text() ||
                   (address->text() == io::Address::numeric("0.0.0.0", port)->text() &&
                    within->family() == AF_INET);
  return any || address->text() == within->text();
}

// Otherwise the second would wait for the first, and say that another process has it.
void check_each_is_once(const Config& config) {
  const std::vector<std::string> hosts = listening_hosts(config.host);
  for (size_t i = 0; i < hosts.size(); ++i)
    for (size_t j = 0; j < hosts.size(); ++j)
      if (i != j && has_too(hosts[i], hosts[j], config.port))
        give_up("LISTEN_HOST is " + config.host + ", where '" + hosts[i] + "' has '" + hosts[j] +
                "' too; leave that out");
}

}  // namespace

std::vector<std::string> listening_hosts(const std::string& hosts) {
  std::vector<std::string> all;
  for (size_t begin = 0; begin <= hosts.size();) {
    const size_t comma = std::min(hosts.find(',', begin), hosts.size());
    all.push_back(hosts.substr(begin, comma - begin));
    begin = comma + 1;
  }
  return all;
}

io::Result<int> listen_once_free(const io::Address& address, int type, mode_t mode, int backlog) {
  io::Result<int> fd;
  stays_taken([&] {
    fd = io::listen_unix(address, type, mode, backlog);
    return !fd && fd.error().code == EADDRINUSE;
  });
  return fd;
}

Sockets::Sockets(Sockets&& other) noexcept
    : all_(std::exchange(other.all_, {})), shared_(other.shared_) {}

Sockets Sockets::open(const Config& config, unsigned shards) {
  check_each_is_once(config);
  Sockets sockets;
  for (const std::string& host : listening_hosts(config.host)) {
    if (host.starts_with(unix_prefix))
      sockets.listen_unix(config, host.substr(unix_prefix.size()));
    else
      sockets.listen_tcp(config, host, shards);
  }
  return sockets;
}

void Sockets::add(int fd, const io::Address& address) {
  const bool has_file = address.family() == AF_UNIX;
  all_.push_back({fd, address, has_file ? io::SocketFile(address.text()) : io::SocketFile()});
}

void Sockets::listen_tcp(const Config& config, const std::string& host, unsigned shards) {
  std::optional<io::Address> address = io::Address::numeric(host, config.port);
  if (!address)
    give_up("LISTEN_HOST is " + config.host + ", where '" + host +
            "' is no IPv4 or IPv6 address, nor unix:PATH");
  check_port_is_free(*address, config);
  for (unsigned made = 0; made < shards;) {
    const io::Result<int> fd = io::listen_tcp(*address, connection_backlog);
    if (fd) {
      add(*fd, *address);
      ++made;
    } else if (address->family() == AF_INET6 && falls_back_to_ipv4(host, fd.error())) {
      address = io::Address::numeric("0.0.0.0", config.port);
      check_port_is_free(*address, config);
    } else {
      give_up(
          "can't listen on " + address->text() + ": " + fd.error().message() +
          (fd.error().code == EACCES
               ? "; a port below 1024 is for who has CAP_NET_BIND_SERVICE (AmbientCapabilities= "
                 "of the service); choose another: PORT=8080"
               : ""));
    }
  }
}

void Sockets::listen_unix(const Config& config, const std::string& path) {
  const auto address = io::Address::unix_socket(path);
  if (!address || path.empty())
    give_up("LISTEN_HOST is " + config.host +
            ", where a path of a UNIX socket has to have 1 to 107 bytes");
  const io::Result<int> fd =
      listen_once_free(*address, SOCK_STREAM, config.unix_socket_mode, connection_backlog);
  if (fd) return add(*fd, *address);
  const int code = fd.error().code;
  give_up("can't listen on unix:" + path + ": " +
          (code == EADDRINUSE ? "another process listens there; stop it or choose another path"
           : code == EEXIST   ? "there is a file that is no socket; remove it"
                              : fd.error().message()));
}

Sockets Sockets::adopt(const std::vector<int>& fds, const Config& config, bool passed) {
  Sockets sockets;
  // Until it is known that they are taken, nothing of them is this process's to remove.
  sockets.shared_ = true;
  const std::string whose = passed ? "LISTEN_FDS" : "the process before this one";
  std::string fault;
  for (const int fd : fds) {
    const io::Result<io::Address> address = io::adopt_listening(fd);
    sockets.add(fd, address ? *address : io::Address());
    if (!address && fault.empty())
      fault = whose + " has descriptor " + std::to_string(fd) +
              ", which is no listening stream socket: " + address.error().message();
  }
  if (!fault.empty()) give_up(fault);
  if (!passed || config.is_given("--host") || config.is_given("--port"))
    sockets.compare(config, whose);
  sockets.shared_ = passed;
  return sockets;
}

// A setting has its effect, or is refused: each socket is at an address of the settings, and each
// of these has one.
void Sockets::compare(const Config& config, const std::string& whose) const {
  const auto refuse = [&](const char* does, const std::string& where) {
    std::string why = whose;
    why.append(does).append(where).append(", and LISTEN_HOST=").append(config.host);
    why.append(" with PORT=").append(std::to_string(config.port));
    give_up(why.append(" is set: set them to where it listens, or stop it first"));
  };
  const std::vector<std::string> hosts = listening_hosts(config.host);
  for (const Socket& socket : all_)
    if (std::ranges::none_of(hosts, [&](const std::string& host) {
          return is_at(socket.address, host, config.port);
        }))
      refuse(" listens on ", socket.address.text());
  for (const std::string& host : hosts)
    if (std::ranges::none_of(
            all_, [&](const Socket& socket) { return is_at(socket.address, host, config.port); }))
      refuse(" does not listen on ", host);
}

std::vector<std::vector<int>> Sockets::share(unsigned shards) const {
  std::map<std::string, std::vector<int>> by_address;
  for (const Socket& socket : all_) by_address[socket.address.text()].push_back(socket.fd);
  std::vector<std::vector<int>> shares(shards);
  for (const auto& [address, fds] : by_address) {
    for (size_t i = 0; i < std::max<size_t>(fds.size(), shards); ++i) {
      const int copy = fcntl(fds[i % fds.size()], F_DUPFD_CLOEXEC, 0);
      if (copy == -1)
        give_up("no descriptor is left to listen on " + address + "; raise ulimit -n");
      shares[i % shards].push_back(copy);
    }
  }
  return shares;
}

std::vector<int> Sockets::fds() const {
  std::vector<int> all;
  all.reserve(all_.size());
  for (const Socket& socket : all_) all.push_back(socket.fd);
  return all;
}

std::string Sockets::text() const {
  std::string text;
  std::string last;
  for (const Socket& socket : all_) {
    std::string address = socket.address.text();
    if (address == last) continue;
    text.append(text.empty() ? "" : ", ").append(address);
    last = std::move(address);
  }
  return text;
}

void Sockets::close() {
  for (const Socket& socket : std::exchange(all_, {})) {
    // Before it is closed: a new process that finds a file there finds one that is served.
    if (!shared_) socket.file.remove();
    ::close(socket.fd);
  }
}

}  // namespace ringpost::service
