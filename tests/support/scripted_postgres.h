// ScriptedPostgres: a server that plays scripts, on the reactor of the test, and speaks no better
// than it is told to. The first session that comes plays the first script, and so on.
//
// A script says what has to come, to the byte, and what is answered. What comes otherwise, a
// session without a script and a script without its session fail the test. Behind its last step a
// session takes Terminate and the end of the connection, and nothing else. Steps wait for at most
// `patience`, so that a test ends whatever its subject does.
//
// Bytes go through a UNIX socket: they are there for the peer when the send is done; or, where it
// is told so, by TCP, and by TLS there. Whoever owns the server awaits stop() before it ends.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/pg/conninfo.h"
#include "src/io/acceptor.h"
#include "src/io/reactor.h"
#include "src/io/scope.h"
#include "tests/support/tls_server.h"

namespace ringpost::tests {

inline constexpr std::chrono::seconds patience{5};

// Holds a script back until the test opens it.
class Gate {
 public:
  explicit Gate(io::Reactor& reactor) : reactor_(reactor) {}

  bool is_open() const { return open_; }
  void open() {
    open_ = true;
    while (!waiting_.empty()) waiting_.pop_front().notify();
  }

  class Pass final : public io::Wait, public io::ListNode<Pass> {
   public:
    Pass(Gate& gate, io::Until until) : Wait(gate.reactor_, until), gate_(gate) {}
    bool await_ready() const { return gate_.open_; }
    bool await_suspend(std::coroutine_handle<> awaiter) {
      if (!suspend(awaiter)) return false;
      gate_.waiting_.push_back(*this);
      return true;
    }
    // Whether the gate is open.
    bool await_resume() {
      if (io::ListNode<Pass>::linked()) io::ListNode<Pass>::unlink();
      return gate_.open_;
    }

   private:
    Gate& gate_;
  };
  Pass passed(io::Until until) { return Pass(*this, until); }

 private:
  io::Reactor& reactor_;
  io::List<Pass, Pass> waiting_;
  bool open_ = false;
};

// One connection, as its script sees it. What returns bool says false when the session is over.
class PgSession {
 public:
  PgSession(io::Reactor& reactor, int fd, size_t number, io::Cancellation& cancellation)
      : reactor_(reactor), fd_(fd), number_(number), cancellation_(cancellation) {}
  ~PgSession() { close(); }
  PgSession(const PgSession&) = delete;
  PgSession& operator=(const PgSession&) = delete;

  // The next bytes have to be these.
  io::Task<bool> expect(std::string bytes);
  // The next message, whatever it is; empty when the session ended before. `typed`: all but the
  // first message of a connection.
  io::Task<std::string> message(bool typed);
  // The peer closes, and sends nothing more.
  io::Task<bool> expect_end();
  // In pieces of `piece` bytes, each in a turn of its own. Fails when they can't be sent; not so
  // when the peer may close `early`.
  io::Task<bool> send(std::string bytes, size_t piece, bool early = false);
  io::Task<bool> pause(Gate& gate);
  // Closes as soon as the peer has sent something that is left unread: it sees a reset.
  io::Task<bool> reset();
  // Takes Terminate and the end, if they come.
  io::Task<void> linger();
  // Answers nothing, however much comes, until the peer closes.
  io::Task<void> ignore();
  void close();
  // Shakes hands; from here on all bytes go by TLS. `server` outlives the session.
  io::Task<bool> secure(const TlsServer& server);
  const TlsServer::Connection* tls() const { return tls_.get(); }

  io::Reactor& reactor() const { return reactor_; }
  bool stopped() const { return cancellation_.requested(); }
  void complain(const std::string& what);

 private:
  // False at the end of the connection, of patience, or of the server.
  io::Task<bool> receive(io::Duration longest);
  // As it is on the wire.
  io::Task<bool> send_bytes(std::string bytes, size_t piece, bool early);
  io::Until until() const { return {reactor_.now() + patience, &cancellation_}; }

  io::Reactor& reactor_;
  int fd_;
  size_t number_;
  io::Cancellation& cancellation_;
  std::string received_;
  bool ended_ = false;
  std::unique_ptr<TlsServer::Connection> tls_;
};

using Step = std::function<io::Task<bool>(PgSession&)>;
using Script = std::vector<Step>;
Script operator+(Script first, const Script& second);

// Steps.
Step expect(std::string bytes);
Step expect_end();
Step send(std::string bytes);
// TLS begins, behind the answer to SSLRequest. `server` outlives the session.
Step secure(const TlsServer& server);
// The same, and the client ends the connection instead.
Step secure_in_vain(const TlsServer& server);
Step send_in_pieces(std::string bytes, size_t piece);
// The same; the peer may close before the last piece.
Step send_while_open(std::string bytes, size_t piece);
Step pause(Gate& gate);
Step open(Gate& gate);
Step close_session();
Step reset_session();
Step never_answer();
// SCRAM-SHA-256 up to AuthenticationSASLFinal, as a server that knows `password`. With
// `wrong_signature` its last message does not prove that.
Step scram(std::string password, bool wrong_signature = false);

class ScriptedPostgres {
 public:
  // Its address is taken, but it refuses connections until listen().
  enum class Name { file, abstract, tcp };
  explicit ScriptedPostgres(io::Reactor& reactor, Name name = Name::file);
  ~ScriptedPostgres();

  proto::pg::Host host() const;
  void listen();
  // For the next session that has none yet.
  void play(Script script) { scripts_.push_back(std::move(script)); }
  // Whose sessions did not come is not missed.
  void play_no_more() { scripts_.clear(); }
  // Sessions that have come.
  size_t sessions() const { return sessions_; }
  // Those that were accepted and are not over.
  size_t open_sessions() const { return scope_.running() - (acceptor_ ? 1 : 0); }
  // Ends all sessions.
  io::Task<void> stop();

 private:
  io::Task<void> accept();
  io::Task<void> serve(int fd, size_t number);

  io::Reactor& reactor_;
  io::Scope scope_;
  std::string folder_;
  Name name_;
  uint16_t port_ = 0;
  int listening_ = -1;
  std::optional<io::Acceptor> acceptor_;
  std::deque<Script> scripts_;
  size_t sessions_ = 0;
};

// Escapes what is not printable, so that a difference can be seen.
std::string printable(std::string_view bytes);

}  // namespace ringpost::tests
