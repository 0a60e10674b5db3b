// open_loop: an HTTP load that is due by the clock, several streams of it at once. A request's
// latency counts from when it was due, whenever it left: what waits in line because all connections
// are busy, or because this program was late, has waited. So a server that stalls can't make itself
// look better by holding back what would have been asked meanwhile.
//
//     open_loop PORT SECONDS NAME=FILE,RATE,CONNECTIONS ...
//
// FILE has a target a line, drawn at random; RATE is requests a second at fixed distances, or 0 for
// a closed loop (each connection asks as soon as it is answered; latency counts from then);
// CONNECTIONS are to 127.0.0.1 and carry one request at a time, in turn. Prints a line of JSON: for
// each stream its seconds, how many requests were due and answered, errors by kind, and percentiles
// in ms of all that were answered and of how late they left.
//
// One thread and epoll, pages and lookups alike: 9 to 20 us of CPU a request on a busy machine,
// nearly all of it the kernel's for the loopback (README.md has it beside others).
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using Nanoseconds = std::chrono::nanoseconds;

// After the last request was due: what is not answered by then is an error.
constexpr std::chrono::seconds patience{10};

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "open_loop: %s\n", what.c_str());
  std::exit(1);
}

struct Answer {
  size_t bytes;  // head and content
  int status;
};

// Of the bytes from an answer's first on: what it is once its head is whole. Content has a length
// here: it is what all contenders send.
std::optional<Answer> head_of(std::string_view bytes) {
  const size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  std::string head(bytes.substr(0, end + 2));
  std::ranges::transform(head, head.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  });
  constexpr std::string_view name = "\r\ncontent-length:";
  const size_t at = head.find(name);
  if (!head.starts_with("http/1.1 ") || at == std::string::npos)
    fail("no answer of HTTP/1.1 with a Content-Length: " + head.substr(0, 60));
  return Answer{end + 4 + std::strtoull(head.c_str() + at + name.size(), nullptr, 10),
                std::atoi(head.c_str() + 9)};
}

struct Stream;

struct Connection {
  Stream* stream = nullptr;
  int fd = -1;
  bool asked = false;
  Time due;
  std::string received;  // of an answer that came in pieces
};

struct Stream {
  std::string name;
  std::vector<std::string> requests;
  Nanoseconds distance{};  // 0: a closed loop
  Time first, end;         // the first is due then, and none from the end on
  int64_t count = 0;       // requests that were due and have left
  std::vector<Connection> connections;
  std::deque<Connection*> free;  // the one that has been free for longest comes first
  std::minstd_rand random;
  std::vector<Nanoseconds> latencies, late;
  std::map<std::string, int64_t> errors;

  Time due(Time now) const { return distance.count() == 0 ? now : first + count * distance; }
  int64_t all() const {
    return distance.count() == 0 ? count : (end - first - Nanoseconds(1)) / distance + 1;
  }
};

void open(Connection& connection, int epoll, uint16_t port) {
  connection.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connection.fd < 0 ||
      ::connect(connection.fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
    fail("can't connect to port " + std::to_string(port));
  const int on = 1;
  ::setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  epoll_event event{.events = EPOLLIN, .data = {.ptr = &connection}};
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, connection.fd, &event) != 0) fail("epoll_ctl");
}

class Load {
 public:
  Load(uint16_t port, std::deque<Stream>& streams)
      : port_(port), streams_(streams), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (Stream& stream : streams_) {
      for (Connection& connection : stream.connections) {
        connection.stream = &stream;
        open(connection, epoll_, port_);
        stream.free.push_back(&connection);
      }
    }
  }

  void run(std::chrono::seconds seconds) {
    const Time begin = Clock::now();
    for (Stream& stream : streams_) {
      // Streams whose distances divide each other would else be due together, each time.
      stream.first = begin + stream.distance * 618 / 1000;
      stream.end = begin + seconds;
    }
    const Time limit = begin + seconds + patience;
    while (true) {
      const Time now = Clock::now();
      Time wake = limit;
      bool done = true;
      for (Stream& stream : streams_) {
        ask(stream, now);
        const Time due = stream.due(now);
        const bool more = due < stream.end;
        if (more && !stream.free.empty()) wake = std::min(wake, due);
        if (more || stream.free.size() < stream.connections.size()) done = false;
      }
      if (done || now >= limit) break;
      wait(std::max(wake - now, Nanoseconds(0)));
    }
  }

 private:
  // All that is due and has a connection.
  void ask(Stream& stream, Time now) {
    while (!stream.free.empty()) {
      const Time due = stream.due(now);
      if (due > now || due >= stream.end) return;
      Connection& connection = *stream.free.front();
      stream.free.pop_front();
      ++stream.count;
      connection.due = due;
      connection.asked = true;
      const std::string& request = stream.requests[stream.random() % stream.requests.size()];
      stream.late.push_back(now - due);
      // A connection that is gone is found so when it is read from.
      (void)::send(connection.fd, request.data(), request.size(), MSG_NOSIGNAL);
    }
  }

  void wait(Nanoseconds longest) {
    epoll_event events[64];
    const timespec time{.tv_sec = longest.count() / 1'000'000'000,
                        .tv_nsec = longest.count() % 1'000'000'000};
    const int count = ::epoll_pwait2(epoll_, events, 64, &time, nullptr);
    for (int i = 0; i < count; ++i) read(*static_cast<Connection*>(events[i].data.ptr));
  }

  void read(Connection& connection) {
    const ssize_t size = ::recv(connection.fd, buffer_, sizeof buffer_, 0);
    if (size <= 0) {
      ::close(connection.fd);
      open(connection, epoll_, port_);
      if (connection.asked) answered(connection, "closed");
      return;
    }
    std::string_view bytes(buffer_, static_cast<size_t>(size));
    if (!connection.received.empty()) bytes = connection.received.append(bytes);
    const std::optional<Answer> answer = head_of(bytes);
    if (!answer || bytes.size() < answer->bytes) {
      if (connection.received.empty()) connection.received = bytes;
      return;
    }
    if (!connection.asked || bytes.size() > answer->bytes) fail("an answer that was not asked for");
    answered(connection, answer->status == 200 ? "" : "status " + std::to_string(answer->status));
  }

  void answered(Connection& connection, const std::string& error) {
    Stream& stream = *connection.stream;
    const Time now = Clock::now();
    if (error.empty())
      stream.latencies.push_back(now - connection.due);
    else
      ++stream.errors[error];
    connection.asked = false;
    connection.received.clear();
    stream.free.push_back(&connection);
    ask(stream, now);
  }

  uint16_t port_;
  std::deque<Stream>& streams_;
  int epoll_;
  char buffer_[64 * 1024];
};

Stream stream_of(const std::string& word) {
  char name[64], file[1024];
  double rate;
  unsigned connections;
  if (std::sscanf(word.c_str(), "%63[^=]=%1023[^,],%lf,%u", name, file, &rate, &connections) != 4 ||
      rate < 0 || connections == 0)
    fail("no stream: " + word);
  Stream stream;
  stream.name = name;
  std::ifstream lines(file);
  for (std::string target; std::getline(lines, target);)
    stream.requests.push_back("GET " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  if (stream.requests.empty()) fail(std::string("no targets in ") + file);
  if (rate > 0) stream.distance = Nanoseconds(static_cast<int64_t>(1e9 / rate));
  stream.connections.resize(connections);
  return stream;
}

void print(const char* of, std::vector<Nanoseconds>& times) {
  std::ranges::sort(times);
  std::printf(R"(,"%s":{)", of);
  const char* before = "";
  for (const auto& [name, share] :
       {std::pair("p50", 0.5), {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1.0}}) {
    // The least time that so great a share has not exceeded.
    const double rank = std::ceil(share * static_cast<double>(times.size()));
    const double ms = times.empty()
                          ? -1
                          : static_cast<double>(times[static_cast<size_t>(rank) - 1].count()) / 1e6;
    std::printf(R"(%s"%s":%.4f)", before, name, ms);
    before = ",";
  }
  std::printf("}");
}

}  // namespace

int main(int count, char** words) {
  if (count < 4) fail("usage: open_loop PORT SECONDS NAME=FILE,RATE,CONNECTIONS ...");
  std::deque<Stream> streams;
  for (int i = 3; i < count; ++i) streams.push_back(stream_of(words[i]));
  // Else the kernel may wake it 50 us late, to wake it less often.
  ::prctl(PR_SET_TIMERSLACK, 1);
  const std::chrono::seconds seconds(std::atoi(words[2]));
  Load load(static_cast<uint16_t>(std::atoi(words[1])), streams);
  load.run(seconds);
  const char* before = "{";
  for (Stream& stream : streams) {
    int64_t answered = static_cast<int64_t>(stream.latencies.size());
    for (const auto& [kind, number] : stream.errors)
      if (kind != "closed") answered += number;
    int64_t lost = stream.all() - answered - stream.errors["closed"];
    if (lost > 0) stream.errors["unanswered"] = lost;
    std::printf(R"(%s"%s":{"seconds":%lld,"due":%lld,"answered":%lld,"errors":{)", before,
                stream.name.c_str(), static_cast<long long>(seconds.count()),
                static_cast<long long>(stream.all()), static_cast<long long>(answered));
    before = ",";
    const char* comma = "";
    for (const auto& [kind, number] : stream.errors) {
      if (number == 0) continue;
      std::printf(R"(%s"%s":%lld)", comma, kind.c_str(), static_cast<long long>(number));
      comma = ",";
    }
    std::printf("}");
    print("latency_ms", stream.latencies);
    print("late_ms", stream.late);
    std::printf("}");
  }
  std::printf("}\n");
}
