// A Session, or a Listener, with a handler that answers as the request's path tells it, on a
// reactor of its own. The test is the peer.
#pragma once

#include <charconv>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "src/http/session.h"
#include "src/io/scope.h"
#include "tests/support/http_client.h"
#include "tests/support/reactor.h"

namespace ringpost::tests {

// Paths: /now/TEXT answers TEXT at once; /after/MS/TEXT when it has slept; /never waits to be
// cancelled; /large/BYTES answers so many x; /drop lets the reply go unanswered;
// /whole/MOST answers its body, and /stream/MOST how long that was, read as it comes; /echo sends
// it back as it comes; /pieces/COUNT/BYTES streams so many of a, b, ..., and with /cut no end;
// /waited, which reserves 5000 bytes, answers since how many ms it was asked. Anything else is
// answered 404 with no body and no type; of these /nowhere takes no body.
class Paths final : public http::Handler {
 public:
  explicit Paths(io::Reactor& reactor) : reactor_(reactor) {}

  void handle(const proto::http::Request& request, http::Reply reply) override {
    handled.append(handled.empty() ? "" : " ").append(request.target);
    std::string_view path = request.target;
    const auto under = [&](std::string_view folder) {
      if (!path.starts_with(folder)) return false;
      path.remove_prefix(folder.size());
      return true;
    };
    http::Session& session = reply.session();
    if (under("/now/"))
      reply.send(proto::http::Status::ok, "text/plain", path);
    else if (under("/after/"))
      session.spawn(after(std::chrono::milliseconds(number(path)),
                          std::string(path.substr(path.find('/') + 1)), std::move(reply)));
    else if (under("/waited"))
      reply.send(proto::http::Status::ok, "text/plain",
                 std::to_string((reactor_.now() - session.asked()) / std::chrono::milliseconds(1)));
    else if (under("/never"))
      session.spawn(never(std::move(reply)));
    else if (under("/whole/"))
      reply.send(proto::http::Status::ok, "text/plain", session.take_body().view());
    else if (under("/stream/"))
      session.spawn(read_all(http::BodyStream(session), std::move(reply)));
    else if (under("/echo"))
      session.spawn(echo(http::BodyStream(session), std::move(reply)));
    else if (under("/pieces/"))
      session.spawn(pieces(number(path), number(path.substr(path.find('/') + 1)),
                           !path.ends_with("/cut"), std::move(reply)));
    else if (under("/large/"))
      reply.send(proto::http::Status::ok, "text/plain", std::string(number(path), 'x'));
    else if (!under("/drop"))
      reply.send(proto::http::Status::not_found, "", "", "X-Why: no such path\r\n");
  }

  http::Intake intake(const proto::http::Request& request) override {
    using Kind = http::Intake::Kind;
    if (request.target.starts_with("/nowhere")) return {.kind = Kind::refused};
    if (request.target.starts_with("/whole/"))
      return {.kind = Kind::whole, .most_bytes = number(request.target.substr(7))};
    if (request.target.starts_with("/echo")) return {.kind = Kind::streamed};
    if (request.target.starts_with("/stream/"))
      return {.kind = Kind::streamed, .most_bytes = number(request.target.substr(8))};
    return {};
  }

  size_t answer_bytes(const proto::http::Request& request) override {
    const std::string_view path = request.target;
    if (path.starts_with("/waited")) return 5'000;
    return path.starts_with("/large/") ? number(path.substr(7)) : 64;
  }
  void turn_away(http::Reply reply) override {
    reply.send(proto::http::Status::service_unavailable, "", "", "Retry-After: 1\r\n");
  }

  std::string handled;  // the targets, in their order
  std::string streams;  // what became of them: "in 5 ok", "out 3 timed_out"
  bool reads = true;    // or /stream waits until this is so
  int gave_up = 0;      // requests to /never that were cancelled

 private:
  static size_t number(std::string_view text) {
    size_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  }

  io::Task<void> after(std::chrono::milliseconds pause, std::string text, http::Reply reply) {
    const auto until = reply.session().until(io::never);
    if (co_await io::Sleep(reactor_, pause, until.cancellation))
      reply.send(proto::http::Status::ok, "text/plain", text);
  }
  io::Until soon(http::Reply& reply) {
    return reply.session().until(reactor_.now() + std::chrono::seconds(5));
  }
  // Answers how many bytes came, or why they did not.
  io::Task<void> read_all(http::BodyStream body, http::Reply reply) {
    const io::Until until = soon(reply);
    while (!reads) co_await io::Sleep(reactor_, std::chrono::milliseconds(1), nullptr);
    size_t bytes = 0;
    for (;;) {
      auto reading = body.read(until);
      const auto piece = co_await std::move(reading);
      if (!piece) {
        streams += "in " + std::to_string(bytes) + " " + std::string(piece.error()->reason) + ";";
        co_return reply.send(piece.error()->status, "text/plain", piece.error()->reason);
      }
      if (piece->empty()) break;
      bytes += piece->size();
    }
    streams += "in " + std::to_string(bytes) + " ok;";
    reply.send(proto::http::Status::ok, "text/plain", std::to_string(bytes));
  }
  io::Task<void> echo(http::BodyStream body, http::Reply reply) {
    const io::Until until = soon(reply);
    http::StreamedReply answer(std::move(reply), proto::http::Status::ok, "text/plain");
    for (;;) {
      auto reading = body.read(until);
      const auto piece = co_await std::move(reading);
      if (!piece) co_return;
      if (piece->empty()) break;
      auto writing = answer.write(*piece, until);
      const io::Result<void> written = co_await std::move(writing);
      if (!written) co_return;
    }
    auto ending = answer.end(until);
    co_await std::move(ending);
  }
  io::Task<void> pieces(size_t count, size_t bytes, bool ends, http::Reply reply) {
    const io::Until until = soon(reply);
    http::StreamedReply answer(std::move(reply), proto::http::Status::ok, "text/plain",
                               "X-Y: z\r\n");
    for (size_t i = 0; i < count; ++i) {
      const std::string piece(bytes, static_cast<char>('a' + i % 26));
      auto writing = answer.write(piece, until);
      const io::Result<void> written = co_await std::move(writing);
      if (written) continue;
      streams += "out " + std::to_string(i) + " " + written.error().message() + ";";
      co_return;
    }
    streams += "out " + std::to_string(count) + " ok;";
    if (!ends) co_return;
    auto ending = answer.end(until);
    co_await std::move(ending);
  }
  io::Task<void> never(http::Reply reply) {
    const auto until = reply.session().until(io::never);
    co_await io::Sleep(reactor_, std::chrono::hours(1), until.cancellation);
    ++gave_up;
  }

  io::Reactor& reactor_;
};

// What the test sees of the other side.
struct Conversation {
  io::Reactor& reactor;
  io::BufferGroup& buffers;
  http::Context& context;
  Paths& handler;
  http::Session& session;
  io::Scope& scope;  // the session runs in it, and is given up with it
  HttpClient& client;

  io::Task<void> sleep(io::Duration duration) { co_await io::Sleep(reactor, duration, nullptr); }
  bool ended() const { return scope.running() == 0; }
  // Waits for the session to end, for a second at most; in how many milliseconds it did.
  io::Task<int> ends() {
    const io::Time begin = reactor.now();
    while (!ended() && reactor.now() < begin + std::chrono::seconds(1))
      co_await sleep(std::chrono::milliseconds(1));
    EXPECT_TRUE(ended());
    co_return static_cast<int>(
        std::chrono::duration_cast<std::chrono::milliseconds>(reactor.now() - begin).count());
  }
};

// Limits that a test waits for none of, but the last: each sets what it is about.
inline http::Limits patient() {
  http::Limits limits;
  limits.idle_timeout = limits.head_timeout = limits.body_timeout = limits.write_timeout =
      std::chrono::seconds(10);
  limits.linger_timeout = std::chrono::seconds(1);
  return limits;
}

using Talk = std::function<io::Task<void>(Conversation&)>;

inline io::Task<void> hold(io::Reactor& reactor, const http::Limits& limits, const Talk& talk,
                           std::pair<int, int> ends, http::AccessLog* access_log) {
  Buffers ours(reactor, 64), theirs(reactor, 64, 64 * 1024, 8);
  Paths handler(reactor);
  http::Context context(reactor, ours, limits, handler, access_log);
  io::Scope scope(reactor);
  {
    http::Session session(context, ends.first, scope.cancellation());
    HttpClient client(reactor, theirs, ends.second);
    Conversation conversation{reactor, ours, context, handler, session, scope, client};
    scope.spawn(session.run());
    co_await talk(conversation);
    co_await client.close();
    scope.cancel();
    co_await scope.join();
  }
}

// A conversation over two connected sockets; the session has ended when it returns.
inline void converse(const http::Limits& limits, const Talk& talk,
                     std::pair<int, int> ends = socket_pair(),
                     http::AccessLog* access_log = nullptr) {
  io::Reactor reactor;
  reactor.run(hold(reactor, limits, talk, ends, access_log));
}
inline void converse(const Talk& talk) {
  converse({}, talk);
}

// What the service answers when all went well.
inline std::string ok(std::string_view body, std::string_view connection = "") {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n" + std::string(connection) + "\r\n" +
         std::string(body);
}
inline std::string get(std::string_view path) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

}  // namespace ringpost::tests
