// What it takes to ask and be answered over a socket: a turn submits a question and sleeps until
// the answer has come. Compared by how the question is sent; `turns` is how often the thread was
// woken for one.
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <benchmark/benchmark.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/io/ring.h"

namespace {

using namespace ringpost;

void check(bool fine, const char* what) {
  if (fine) return;
  std::fprintf(stderr, "turn_bench: %s\n", what);
  std::exit(1);
}

// Sends back what it is sent, from a thread of its own.
class Echo {
 public:
  Echo() {
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_) == 0, "socketpair");
    thread_ = std::thread([fd = ends_[1]] {
      char byte;
      while (::read(fd, &byte, 1) == 1) check(::write(fd, &byte, 1) == 1, "write");
    });
  }
  ~Echo() {
    ::shutdown(ends_[0], SHUT_RDWR);
    thread_.join();
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  int fd() const { return ends_[0]; }

 private:
  int ends_[2];
  std::thread thread_;
};

class Counted final : public io::Operation {
 public:
  void complete(int result, uint32_t) override {
    check(result == 1, "an operation has failed");
    ++count;
  }
  unsigned count = 0;
};

// `send` prepares the question.
template <class Send>
void ask(benchmark::State& state, Send send) {
  io::Ring ring(8, 16);
  const Echo echo;
  Counted sent, answered;
  unsigned asked = 0, turns = 0;
  char answer = 0;
  for (auto _ : state) {
    send(ring, sent, echo.fd());
    io_uring_prep_recv(ring.prepare(&answered), echo.fd(), &answer, 1, 0);
    ++asked;
    while (answered.count != asked) {
      ring.submit(true);
      ring.reap();
      ++turns;
    }
  }
  check(answer == '?' && sent.count == asked, "each question is sent and answered once");
  state.counters["turns"] = static_cast<double>(turns) / asked;
}

void send_now(benchmark::State& state) {
  ask(state, [](io::Ring& ring, Counted& sent, int fd) { ring.send_now(sent, fd, "?"); });
}
void send_with_completion(benchmark::State& state) {
  ask(state, [](io::Ring& ring, Counted& sent, int fd) {
    io_uring_prep_send(ring.prepare(&sent), fd, "?", 1, MSG_WAITALL | MSG_NOSIGNAL);
  });
}
BENCHMARK(send_now);
BENCHMARK(send_with_completion);

}  // namespace

BENCHMARK_MAIN();
