// A Listener that serves, for tests that are its clients.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "src/http/listener.h"
#include "src/io/address.h"
#include "src/io/listen.h"
#include "tests/http/conversation.h"

namespace ringpost::tests {

// A listener that serves, and how to reach it.
struct Served {
  io::Reactor& reactor;
  io::BufferGroup& buffers;
  Paths& handler;
  http::Context& context;
  http::Metrics& metrics;
  http::Listener& listener;
  io::Scope& scope;
  std::vector<int> listening;  // the listener's
  std::vector<io::Address> addresses;

  // A client's connected socket; -1 when it was refused.
  int connect(size_t socket = 0) const { return connect(socket, "0.0.0.0"); }
  int connect_from(const std::string& host) const { return connect(0, host); }
  HttpClient client(size_t socket = 0) const { return {reactor, buffers, connect(socket)}; }
  io::Task<void> sleep(io::Duration duration) { co_await io::Sleep(reactor, duration, nullptr); }
  bool ended() const { return scope.running() == 0; }
  // Waits until `count` connections are left, for a second at most.
  io::Task<void> leaves(size_t count) {
    const io::Time until = reactor.now() + std::chrono::seconds(1);
    while (listener.connections() != count && reactor.now() < until)
      co_await sleep(std::chrono::milliseconds(1));
    EXPECT_EQ(listener.connections(), count);
  }
  io::Task<void> ends() {
    co_await leaves(0);
    co_await sleep(std::chrono::milliseconds(5));
    EXPECT_TRUE(ended());
  }

 private:
  int connect(size_t socket, const std::string& from) const {
    const io::Address &address = addresses[socket], ours = *io::Address::numeric(from, 0);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::bind(fd, ours.data(), ours.length) == 0 &&
        ::connect(fd, address.data(), address.length) == 0)
      return fd;
    ::close(fd);
    return -1;
  }
};

using Visit = std::function<io::Task<void>(Served&)>;

// `adopted`: a connected socket that the listener serves from its start; -1: none.
inline io::Task<void> hold_open(io::Reactor& reactor, const http::Limits& limits,
                                const Visit& visit, size_t sockets, int adopted) {
  Buffers ours(reactor, 64), theirs(reactor, 64, 4096, 8);
  Paths handler(reactor);
  http::Context context(reactor, ours, limits, handler);
  std::vector<int> listening;
  std::vector<io::Address> addresses;
  for (size_t i = 0; i < sockets; ++i) {
    listening.push_back(io::listen_tcp(*io::Address::numeric("127.0.0.1", 0), 64).value());
    addresses.push_back(bound_to(listening.back()));
  }
  io::Scope scope(reactor);
  http::Listener listener(context, listening);
  if (adopted != -1) listener.adopt(adopted);
  Served served{reactor,  theirs, handler,   context,  context.metrics(),
                listener, scope,  listening, addresses};
  scope.spawn(listener.run());
  co_await visit(served);
  listener.cancel();
  co_await scope.join();
}

inline void serve(const http::Limits& limits, const Visit& visit, size_t sockets = 1,
                  int adopted = -1) {
  io::Reactor reactor;
  reactor.run(hold_open(reactor, limits, visit, sockets, adopted));
}

}  // namespace ringpost::tests
