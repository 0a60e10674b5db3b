// Api: the routes over a pool, and clients of them, on the reactor of the test. Whoever owns it
// awaits stop() before it ends.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "src/app/app.h"
#include "src/http/session.h"
#include "src/io/scope.h"
#include "tests/support/http_client.h"
#include "tests/support/reactor.h"

namespace ringpost::app {

class Unheard final : public pg::Observer {
 public:
  void connected(std::string_view, std::string_view) override {}
  void connect_failed(std::string_view) override {}
  void connection_lost(std::string_view, size_t) override {}
  void notice(std::string_view, std::string_view) override {}
  void statement_failed(std::string_view, std::string_view) override {}
  void statements_not_kept(std::string_view) override {}
};

// For a server at `host`.
inline pg::Options options_for(proto::pg::Host host) {
  pg::Options options;
  options.conninfo.hosts = {std::move(host)};
  options.conninfo.user = options.conninfo.dbname = "somebody";
  options.conninfo.sslmode = proto::pg::Conninfo::SslMode::disable;
  return options;
}

inline constexpr std::chrono::milliseconds request_timeout{300}, ready_timeout{40};

class Api {
 public:
  Api(io::Reactor& reactor, pg::Options options,
      std::chrono::milliseconds timeout = request_timeout)
      : options_(std::move(options)),
        buffers_(reactor, 64),
        client_buffers_(reactor, 16, 16384, 8),
        spread_(options_.max_connections),
        pool_(reactor, buffers_, options_, spread_, app_->statements(), unheard_),
        handler_(app_->make_handler({.reactor = reactor,
                                     .pool = &pool_,
                                     .request_timeout = timeout,
                                     .ready_timeout = ready_timeout,
                                     .metrics = [] { return "of all shards\n"; },
                                     .leaving = leaving_})),
        context_(reactor, buffers_, limits_, *handler_),
        scope_(reactor) {
    scope_.spawn(pool_.run());
  }

  // A connection to it; its owner closes it before stop().
  tests::HttpClient client() {
    const auto [server, peer] = tests::tcp_pair();
    scope_.spawn(serve(server));
    return {context_.reactor(), client_buffers_, peer};
  }
  pg::Pool& pool() { return pool_; }
  // Connections that are served.
  size_t connections() const { return scope_.running() - 1; }

  io::Task<void> stop() {
    pool_.stop();
    co_await scope_.join();
  }

 private:
  io::Task<void> serve(int fd) {
    http::Session session(context_, fd, scope_.cancellation());
    co_await session.run();
  }

  std::unique_ptr<service::App> app_ = users();
  pg::Options options_;
  tests::Buffers buffers_, client_buffers_;
  http::Limits limits_;
  Unheard unheard_;
  pg::Spread spread_;
  pg::Pool pool_;
  bool leaving_ = false;
  std::unique_ptr<http::Handler> handler_;
  http::Context context_;
  io::Scope scope_;
};

inline std::string request(std::string_view line) {
  return std::string(line) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

// An answer's bytes, without Date.
inline std::string json_answer(std::string_view status, std::string_view body,
                               std::string_view fields = "") {
  return "HTTP/1.1 " + std::string(status) +
         "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

}  // namespace ringpost::app
