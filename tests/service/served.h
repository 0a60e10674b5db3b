// A service without a database, its routes on a connection of the test's own.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "src/io/scope.h"
#include "src/service/run.h"
#include "tests/support/http_client.h"
#include "tests/support/reactor.h"

namespace ringpost::tests {

// Calls talk(client), a Task<void>, with a connection to T; `limits` outlive it.
template <class T, class Talk>
io::Task<void> hold_with(io::Reactor& reactor, const http::Limits& limits, Talk talk) {
  Buffers ours(reactor, 64), theirs(reactor, 64, 16384, 8);
  service::AppOf<T> app;
  const bool leaving = false;
  const auto handler = app.make_handler({.reactor = reactor,
                                         .pool = nullptr,
                                         .request_timeout = std::chrono::milliseconds(300),
                                         .ready_timeout = std::chrono::milliseconds(100),
                                         .metrics = [] { return "counted\n"; },
                                         .leaving = leaving});
  http::Context context(reactor, ours, limits, *handler);
  io::Scope scope(reactor);
  {
    const auto [server, peer] = socket_pair();
    http::Session session(context, server, scope.cancellation());
    HttpClient client(reactor, theirs, peer);
    scope.spawn(session.run());
    co_await talk(client);
    co_await client.close();
    scope.cancel();
    co_await scope.join();
  }
}
template <class T, class Talk>
void talk_to(Talk talk, const http::Limits& limits = {}) {
  io::Reactor reactor;
  reactor.run(hold_with<T>(reactor, limits, std::move(talk)));
}

// The answer to one request without a body.
template <class T>
std::string answer_to(std::string_view line) {
  std::string answer;
  talk_to<T>([&](HttpClient& client) -> io::Task<void> {
    client.send(std::string(line) + " HTTP/1.1\r\nHost: a\r\n\r\n");
    answer = co_await client.answer(line.starts_with("HEAD "));
  });
  return answer;
}

// An answer's bytes, without Date.
inline std::string answer_of(std::string_view status, std::string_view type, std::string_view body,
                             std::string_view fields = "") {
  std::string all = "HTTP/1.1 " + std::string(status) + "\r\n";
  if (!type.empty()) all += "Content-Type: " + std::string(type) + "\r\n";
  return all + "Content-Length: " + std::to_string(body.size()) + "\r\n" + std::string(fields) +
         "\r\n" + std::string(body);
}
inline std::string json_answer(std::string_view status, std::string_view body,
                               std::string_view fields = "") {
  return answer_of(status, "application/json", body, fields);
}

}  // namespace ringpost::tests
