#include "src/service/readiness.h"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

namespace ringpost::service {

namespace {

constexpr std::string_view request = "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n",
                           good = "HTTP/1.1 200 ", end_of_head = "\r\n\r\n",
                           length_field = "\r\nContent-Length: ";

// Whether a whole answer of this server's is there, as it writes them.
bool is_whole(std::string_view answer) {
  const size_t head = answer.find(end_of_head), field = answer.find(length_field);
  if (head == std::string_view::npos || field > head) return false;
  size_t length = 0;
  for (size_t at = field + length_field.size(); answer[at] >= '0' && answer[at] <= '9'; ++at)
    length = length * 10 + static_cast<size_t>(answer[at] - '0');
  return answer.size() >= head + end_of_head.size() + length;
}

}  // namespace

int Readiness::connect() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    throw std::system_error(errno, std::generic_category(), "socketpair");
  links_.push_back({.fd = ends[0]});
  return ends[1];
}

bool Readiness::step() {
  for (Link& link : links_)
    if (!link.ready) step(link);
  return std::ranges::all_of(links_, [](const Link& link) { return link.ready; });
}

void Readiness::step(Link& link) {
  if (!link.asked) {
    const ssize_t sent = ::send(link.fd, request.data(), request.size(), MSG_NOSIGNAL);
    link.asked = sent == static_cast<ssize_t>(request.size());
    return;
  }
  char bytes[512];
  for (ssize_t count = 0; (count = ::recv(link.fd, bytes, sizeof bytes, 0)) > 0;)
    link.answer.append(bytes, static_cast<size_t>(count));
  if (!is_whole(link.answer)) return;
  link.ready = link.answer.starts_with(good);
  link.asked = false;
  link.answer.clear();
}

void Readiness::end() {
  for (const Link& link : std::exchange(links_, {})) ::close(link.fd);
}

}  // namespace ringpost::service
