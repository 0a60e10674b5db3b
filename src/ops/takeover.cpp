#include "src/ops/takeover.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace ringpost::ops {

namespace {

constexpr std::string_view hello = "ringpost takeover 1", ready_word = "ready",
                           leaving_word = "leaving";
// The kernel passes 253 at a time (SCM_MAX_FD in net/scm.h).
constexpr size_t most_in_packet = 200, most_sockets = 4096;

std::string reason(int error) {
  return std::generic_category().message(error);
}

// How long the other one may take for a word that it has nothing to wait for: an old process that
// serves, a new one that has connected.
constexpr std::chrono::milliseconds word_limit{5'000};

// Waits for a packet; false when the moment has passed first, or the wait was ended.
bool readable(int fd, int end_fd, TakeoverClock::time_point until) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - TakeoverClock::now()).count();
    if (left <= 0) return false;
    pollfd watched[] = {{fd, POLLIN, 0}, {end_fd, POLLIN, 0}};
    const int ready = ::poll(watched, 2, static_cast<int>(std::min<long>(left, 60'000)));
    if (ready > 0) return watched[1].revents == 0;
    if (ready < 0 && errno != EINTR) return false;
  }
}

bool send_packet(int fd, std::string_view text, std::span<const int> fds = {}) {
  iovec part{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(most_in_packet * sizeof(int))] = {};
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  return ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(text.size());
}

// One packet and its descriptors, which are appended. Nothing at the end or with an error.
std::optional<std::string> receive_packet(int fd, std::vector<int>* fds = nullptr) {
  char text[128];
  iovec part{text, sizeof text};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(most_in_packet * sizeof(int))] = {};
  message.msg_control = control;
  message.msg_controllen = fds != nullptr ? sizeof control : 0;
  const ssize_t size = ::recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (size <= 0) return std::nullopt;
  if (fds != nullptr)
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
      const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      const size_t before = fds->size();
      fds->resize(before + count);
      std::memcpy(fds->data() + before, CMSG_DATA(header), count * sizeof(int));
    }
  return std::string(text, static_cast<size_t>(size));
}

// Who has connected; only this user and the superuser may take over.
std::optional<ucred> credentials(int fd) {
  ucred who{};
  socklen_t size = sizeof who;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return std::nullopt;
  return who;
}

}  // namespace

Giver::~Giver() {
  drop();
  if (listening_ != -1) ::close(listening_);
}

void Giver::drop() {
  if (peer_ != -1) ::close(std::exchange(peer_, -1));
  begun_ = false;
}

std::optional<TakeoverClock::time_point> Giver::due() const {
  return peer_ != -1 ? std::optional(deadline_) : std::nullopt;
}

Giver::Event Giver::fail(std::string why) {
  why_ = std::move(why);
  const bool told = begun_;
  send_packet(peer_, why_);
  drop();
  return told ? Event::failed : Event::nothing;
}

Giver::Event Giver::step(std::span<const int> sockets) {
  if (peer_ == -1) {
    if (listening_ == -1) return Event::nothing;
    peer_ = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (peer_ == -1) return Event::nothing;
    if (!admit()) return Event::nothing;
    deadline_ = TakeoverClock::now() + std::min(limit_, word_limit);
  }
  if (TakeoverClock::now() >= deadline_)
    return fail("it was not ready within " + std::to_string(limit_.count()) + " ms");
  pollfd watched{peer_, POLLIN, 0};
  if (::poll(&watched, 1, 0) != 1) return Event::nothing;
  const std::optional<std::string> packet = receive_packet(peer_);
  if (!packet) return fail("it has ended before it was ready");
  if (!begun_) return *packet == hello ? begin(sockets) : fail("it speaks another protocol");
  return *packet == ready_word ? Event::ready : fail("it speaks another protocol");
}

bool Giver::leave() {
  if (!send_packet(peer_, leaving_word)) {
    fail("it has ended when it was ready");
    return false;
  }
  drop();
  ::close(std::exchange(listening_, -1));
  return true;
}

// Whether who has connected may take over. Told at once: others are not served meanwhile.
bool Giver::admit() {
  const std::optional<ucred> who = credentials(peer_);
  if (!who || (who->uid != ::geteuid() && who->uid != 0)) {
    fail("it serves another user");
    return false;
  }
  peer_pid_ = who->pid;
  return true;
}

Giver::Event Giver::begin(std::span<const int> sockets) {
  deadline_ = TakeoverClock::now() + limit_;
  // The kernel ends all others of a PID namespace with its first process. Who is not of it is 0.
  if (::getpid() == 1 && peer_pid_ != 0)
    return fail("it is process 1 of its container, which would end with it: start a new container");
  std::vector<int> all{listening_};
  all.insert(all.end(), sockets.begin(), sockets.end());
  for (size_t sent = 0; sent < all.size();) {
    const size_t count = std::min(most_in_packet, all.size() - sent);
    const std::string text = "sockets " + std::to_string(count) + " of " +
                             std::to_string(all.size()) + ", process " + std::to_string(::getpid());
    if (!send_packet(peer_, text, std::span(all).subspan(sent, count)))
      return fail("its sockets could not be sent: " + reason(errno));
    sent += count;
  }
  begun_ = true;
  return Event::begun;
}

Taker::Taker(Taker&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      end_fd_(other.end_fd_),
      meeting_(std::exchange(other.meeting_, -1)),
      until_(other.until_),
      sockets_(std::exchange(other.sockets_, {})),
      from_(other.from_) {}

Taker::~Taker() {
  close_all();
}

void Taker::close_all() {
  if (fd_ != -1) ::close(std::exchange(fd_, -1));
  if (meeting_ != -1) ::close(std::exchange(meeting_, -1));
  for (const int fd : std::exchange(sockets_, {})) ::close(fd);
}

int Taker::take_meeting() {
  return std::exchange(meeting_, -1);
}

std::vector<int> Taker::take_sockets() {
  return std::exchange(sockets_, {});
}

std::expected<std::optional<Taker>, std::string> Taker::ask(const std::string& path,
                                                            TakeoverClock::time_point until,
                                                            int end_fd) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return std::unexpected("'" + path + "' is no path of a UNIX socket: it has to have 1 to " +
                           std::to_string(sizeof address.sun_path - 1) + " bytes");
  std::memcpy(address.sun_path, path.data(), path.size());
  const bool abstract = path.starts_with('@');
  if (abstract) address.sun_path[0] = '\0';
  const auto length =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 0 : 1));
  const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd == -1) return std::unexpected("no socket can be had: " + reason(errno));
  Taker taker(fd, end_fd, until);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), length) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) return std::optional<Taker>();
    return std::unexpected("can't connect to '" + path + "': " + reason(errno));
  }
  // Anybody may listen at a name that has no file. Of files the folder's owner is trusted, by the
  // superuser too.
  const std::optional<ucred> who = credentials(fd);
  if (!who || (who->uid != ::geteuid() && who->uid != 0 && (abstract || ::geteuid() != 0)))
    return std::unexpected("another user's process (" + std::to_string(who ? who->pid : 0) +
                           ") listens at '" + path +
                           "': choose a path in a folder that only this service's user writes");
  // Whoever has a reason says it. A killed process's ring holds its sockets for a moment after it
  // has ended: it is met there and says nothing.
  if (!send_packet(fd, hello)) {
    if (errno == EPIPE || errno == ECONNRESET) return std::optional<Taker>();
    return std::unexpected("'" + path + "' takes no packets");
  }
  const std::expected<bool, std::string> received = taker.receive();
  if (!received) return std::unexpected("who listens at '" + path + "' " + received.error());
  return *received ? std::optional<Taker>(std::move(taker)) : std::nullopt;
}

std::expected<bool, std::string> Taker::receive() {
  std::vector<int> all;
  size_t count = 0, total = 0;
  const auto broken = [&](std::string why) -> std::expected<bool, std::string> {
    for (const int fd : all) ::close(fd);
    return std::unexpected(std::move(why));
  };
  do {
    if (!readable(fd_, end_fd_, until_)) return broken("says nothing in time");
    const size_t before = all.size();
    const std::optional<std::string> packet = receive_packet(fd_, &all);
    if (!packet && all.empty()) return false;
    if (!packet) return broken("hands over no sockets");
    if (std::sscanf(packet->c_str(), "sockets %zu of %zu, process %d", &count, &total, &from_) != 3)
      return broken(packet->starts_with("it ") ? "gives none: " + *packet
                                               : "speaks another protocol, or gives none");
    if (count == 0 || all.size() - before != count || all.size() > total || total > most_sockets)
      return broken("hands over other sockets than it says: raise ulimit -n");
  } while (all.size() < total);
  if (total < 2) return broken("has no listening sockets");
  meeting_ = all.front();
  sockets_.assign(all.begin() + 1, all.end());
  return true;
}

bool Taker::is_alone() const {
  char byte = 0;
  const ssize_t size = ::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return size == 0 || (size == -1 && errno == ECONNRESET);
}

std::expected<void, std::string> Taker::ready() {
  if (TakeoverClock::now() >= until_) return std::unexpected("there was no time left");
  // What can't be sent is for nobody any more.
  send_packet(fd_, ready_word);
  const auto word_due = std::min(until_, TakeoverClock::now() + word_limit);
  if (!readable(fd_, end_fd_, word_due)) return std::unexpected("the old process does not answer");
  const std::optional<std::string> packet = receive_packet(fd_);
  // Without a word it has ended, and what it had is this one's.
  if (packet && *packet != leaving_word)
    return std::unexpected("the old process serves on: " + *packet);
  return {};
}

}  // namespace ringpost::ops
