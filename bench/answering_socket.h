// A PostgreSQL that gives the same answer to each query, on the other end of a socket and in the
// thread that asks: so that two clients pay for the same system calls and nothing else. What is
// asked and answered must fit the socket's buffer.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include <libpq-fe.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace ringpost::bench {

inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "bench: %s\n", what);
  std::abort();
}

inline std::string integer(uint64_t value, size_t bytes) {
  std::string text;
  for (size_t i = bytes; i-- > 0;) text += static_cast<char>(value >> 8 * i);
  return text;
}

inline std::string message(char type, const std::string& body) {
  return type + integer(body.size() + 4, 4) + body;
}

class AnsweringSocket {
 public:
  explicit AnsweringSocket(std::string answer) : answer_(std::move(answer)) {}
  ~AnsweringSocket() { ::close(fd_); }
  AnsweringSocket(const AnsweringSocket&) = delete;
  AnsweringSocket& operator=(const AnsweringSocket&) = delete;

  // The client's end.
  int connect() {
    int ends[2];
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "no sockets");
    fd_ = ends[0];
    return ends[1];
  }
  // libpq takes no socket: it connects to this server by its name, and is started up.
  PGconn* connect_libpq() {
    std::string folder = "/tmp/ringpost_bench.XXXXXX";
    require(::mkdtemp(folder.data()) != nullptr, "no folder for the socket");
    const std::string path = folder + "/.s.PGSQL.5432";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                ::listen(listener, 1) == 0,
            "can't listen");
    PGconn* connection = PQconnectStart(("host=" + folder + " user=u gssencmode=disable").c_str());
    PQconnectPoll(connection);
    fd_ = ::accept(listener, nullptr, nullptr);
    PQconnectPoll(connection);
    drain();
    send(message('R', integer(0, 4)) + message('S', std::string("server_version\00015.0\0", 20)) +
         message('K', integer(1, 8)) + message('Z', "I"));
    while (PQstatus(connection) != CONNECTION_OK && PQstatus(connection) != CONNECTION_BAD)
      PQconnectPoll(connection);
    require(PQstatus(connection) == CONNECTION_OK, PQerrorMessage(connection));
    ::close(listener);
    ::unlink(path.c_str());
    ::rmdir(folder.c_str());
    return connection;
  }

  // Takes what was asked, and answers.
  void serve() {
    drain();
    send(answer_);
  }

 private:
  void drain() {
    char bytes[4096];
    require(::read(fd_, bytes, sizeof bytes) > 0, "nothing was asked");
  }
  void send(const std::string& bytes) {
    require(::write(fd_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()),
            "the socket is full");
  }

  std::string answer_;
  int fd_ = -1;
};

}  // namespace ringpost::bench
