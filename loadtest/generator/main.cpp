// load_generator: HTTP load for measurements, several streams of it at once.
//
//     load_generator PORT SECONDS NAME=FILE,RATE,CONNECTIONS[,THINK_MS] ...
//
// FILE has a target a line, drawn at random. CONNECTIONS are to 127.0.0.1 and carry one request at
// a time. With a RATE the stream is an open loop: so many requests a second, due at fixed
// distances, on whatever connection is free. With RATE 0 it is a closed loop, and each connection a
// user, who asks when he has been answered and has thought: for half to one and a half of THINK_MS.
//
// A request's latency counts from when it was due, whenever it left: what waits in line because all
// connections are busy, or because this program was late, has waited. So a server that stalls can't
// make itself look better by holding back what would have been asked meanwhile, and a generator
// that is late shows in its own figures. A user's request is due when he has thought.
//
// Prints one object of JSON, for each stream by its name:
//
//     seconds          from the beginning to the last answer
//     due, answered    requests; errors by kind: "status 503", "closed", "connect",
//                      "unanswered"
//     latency_ms       of those that were answered with 200: p50 ... p99.9, max; -1: none
//     late_ms          how long after they were due all left
//     distribution     [percentile, ms]
//     windows          [requests, p99 in ms] of each half second, by when they were due
//
// One thread and epoll; all it does for a request is a send and a receive (README.md beside has
// what that costs, beside others).
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <map>
#include <optional>
#include <queue>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
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
constexpr std::chrono::milliseconds window{500};
// Of a user who could not connect.
constexpr std::chrono::milliseconds pause{10};

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "load_generator: %s\n", what.c_str());
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
  constexpr std::string_view version = "HTTP/1.1 ", name = "content-length:";
  if (!bytes.starts_with(version))
    fail("no answer of HTTP/1.1: " + std::string(bytes.substr(0, 60)));
  for (size_t at = bytes.find("\r\n"); at < end; at = bytes.find("\r\n", at + 2)) {
    const char* field = bytes.data() + at + 2;
    if (::strncasecmp(field, name.data(), name.size()) == 0)
      return Answer{end + 4 + std::strtoull(field + name.size(), nullptr, 10),
                    std::atoi(bytes.data() + version.size())};
  }
  fail("an answer without Content-Length");
}

struct Stream;

struct Connection {
  Stream* stream = nullptr;
  int fd = -1;
  bool asked = false;
  Time due;              // its request, or its user's next one
  std::string received;  // of an answer that came in pieces
};

struct Stream {
  // A closed loop's users, who is due next on top.
  struct Later {
    bool operator()(const Connection* a, const Connection* b) const { return a->due > b->due; }
  };
  struct Sample {
    Time due;
    Nanoseconds latency;
  };

  std::string name;
  std::vector<std::string> requests;
  Nanoseconds distance{};  // 0: a closed loop
  Nanoseconds think{};     // of a closed loop
  Time begin, first, end;  // an open loop's first is due at `first`, and none from `end` on
  int64_t count = 0;       // requests that have left
  std::vector<Connection> connections;
  std::deque<Connection*> free;  // of an open loop; the one that has been free for longest first
  std::priority_queue<Connection*, std::vector<Connection*>, Later> users;
  std::minstd_rand random;
  std::vector<Sample> samples;  // of what was answered with 200
  std::vector<Nanoseconds> late;
  int64_t refused = 0;  // answered otherwise
  std::map<std::string, int64_t> errors;

  bool open() const { return distance.count() != 0; }
  // When the next request is due for which there is a connection.
  std::optional<Time> next() const {
    if (open()) return free.empty() ? std::nullopt : std::optional(first + count * distance);
    return users.empty() ? std::nullopt : std::optional(users.top()->due);
  }
  // Of the requests that were to be asked.
  int64_t due() const { return open() ? (end - first - Nanoseconds(1)) / distance + 1 : count; }
  // Whether every request has been asked and answered.
  bool over() const {
    if (open()) return first + count * distance >= end && free.size() == connections.size();
    return users.size() == connections.size() && users.top()->due >= end;
  }
  Nanoseconds thought() {
    const double share = 0.5 + static_cast<double>(random()) / static_cast<double>(random.max());
    return Nanoseconds(static_cast<int64_t>(share * static_cast<double>(think.count())));
  }
};

// Whether it could be; `fd` is -1 else.
bool connect(Connection& connection, int epoll, uint16_t port) {
  connection.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(connection.fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    ::close(connection.fd);
    connection.fd = -1;
    return false;
  }
  const int on = 1;
  ::setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  epoll_event event{.events = EPOLLIN, .data = {.ptr = &connection}};
  return ::epoll_ctl(epoll, EPOLL_CTL_ADD, connection.fd, &event) == 0;
}

class Load {
 public:
  Load(uint16_t port, std::deque<Stream>& streams)
      : port_(port), streams_(streams), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (Stream& stream : streams_)
      for (Connection& connection : stream.connections) {
        connection.stream = &stream;
        if (!connect(connection, epoll_, port_))
          fail("can't connect to port " + std::to_string(port));
      }
  }

  // Returns how long it took.
  Nanoseconds run(Nanoseconds seconds) {
    const Time begin = Clock::now();
    for (Stream& stream : streams_) {
      stream.begin = begin;
      // Streams whose distances divide each other would else be due together, each time.
      stream.first = begin + stream.distance * 618 / 1000;
      stream.end = begin + seconds;
      for (Connection& connection : stream.connections) {
        connection.due = begin + stream.thought();
        rest(connection);
      }
    }
    const Time limit = begin + seconds + patience;
    for (;;) {
      const Time now = Clock::now();
      Time wake = limit;
      for (Stream& stream : streams_) {
        ask(stream, now);
        if (const auto next = stream.next(); next && *next < stream.end)
          wake = std::min(wake, *next);
      }
      if (now >= limit || std::ranges::all_of(streams_, &Stream::over)) return now - begin;
      wait(std::max(wake - now, Nanoseconds(0)));
    }
  }

 private:
  static void rest(Connection& connection) {
    Stream& stream = *connection.stream;
    if (stream.open())
      stream.free.push_back(&connection);
    else
      stream.users.push(&connection);
  }

  // All that is due and has a connection.
  void ask(Stream& stream, Time now) {
    for (auto due = stream.next(); due && *due <= now && *due < stream.end; due = stream.next()) {
      Connection& connection = stream.open() ? *stream.free.front() : *stream.users.top();
      if (stream.open())
        stream.free.pop_front();
      else
        stream.users.pop();
      ++stream.count;
      connection.due = *due;
      if (connection.fd < 0 && !connect(connection, epoll_, port_)) {
        ++stream.errors["connect"];
        connection.due = now + stream.thought() + pause;
        rest(connection);
        continue;
      }
      connection.asked = true;
      const std::string& request = stream.requests[stream.random() % stream.requests.size()];
      stream.late.push_back(now - *due);
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
      connection.fd = -1;
      if (connection.asked) ended(connection, "closed");
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
    if (answer->status == 200) return ended(connection, nullptr);
    ++connection.stream->refused;
    ended(connection, ("status " + std::to_string(answer->status)).c_str());
  }

  void ended(Connection& connection, const char* error) {
    Stream& stream = *connection.stream;
    const Time now = Clock::now();
    if (error == nullptr)
      stream.samples.push_back({connection.due, now - connection.due});
    else
      ++stream.errors[error];
    connection.asked = false;
    connection.received.clear();
    connection.due = now + stream.thought();
    rest(connection);
    ask(stream, now);
  }

  uint16_t port_;
  std::deque<Stream>& streams_;
  int epoll_;
  char buffer_[64 * 1024];
};

Stream stream_of(const std::string& word) {
  char name[64], file[1024];
  double rate, think_ms = 0;
  unsigned connections;
  const int found = std::sscanf(word.c_str(), "%63[^=]=%1023[^,],%lf,%u,%lf", name, file, &rate,
                                &connections, &think_ms);
  if (found < 4 || rate < 0 || connections == 0 || think_ms < 0 || (rate > 0 && found == 5))
    fail("no stream: " + word);
  Stream stream;
  stream.name = name;
  std::ifstream lines(file);
  for (std::string target; std::getline(lines, target);)
    stream.requests.push_back("GET " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  if (stream.requests.empty()) fail(std::string("no targets in ") + file);
  if (rate > 0) stream.distance = Nanoseconds(static_cast<int64_t>(1e9 / rate));
  stream.think = Nanoseconds(static_cast<int64_t>(1e6 * think_ms));
  stream.connections.resize(connections);
  return stream;
}

// Of sorted times: the least that so many percent have not exceeded, in ms; -1: there are none.
double at(std::span<const Nanoseconds> times, double percentile) {
  if (times.empty()) return -1;
  const double rank = std::ceil(percentile / 100 * static_cast<double>(times.size()));
  const size_t index = std::max(size_t{1}, static_cast<size_t>(rank)) - 1;
  return static_cast<double>(times[index].count()) / 1e6;
}

void print_percentiles(const char* of, std::span<const Nanoseconds> sorted) {
  std::printf(R"(,"%s":{)", of);
  const char* before = "";
  for (const auto& [name, percentile] : {std::pair("p50", 50.0),
                                         {"p90", 90.0},
                                         {"p95", 95.0},
                                         {"p99", 99.0},
                                         {"p99.9", 99.9},
                                         {"max", 100.0}}) {
    std::printf(R"(%s"%s":%.4f)", before, name, at(sorted, percentile));
    before = ",";
  }
  std::printf("}");
}

void print_distribution(std::span<const Nanoseconds> sorted) {
  std::vector<double> percentiles;
  for (int percentile = 0; percentile < 99; percentile += 2) percentiles.push_back(percentile);
  percentiles.insert(percentiles.end(), {99, 99.25, 99.5, 99.75, 99.9, 99.95, 99.99});
  std::printf(R"(,"distribution":[)");
  const char* before = "";
  for (const double percentile : sorted.empty() ? std::vector<double>() : percentiles) {
    std::printf("%s[%g,%.4f]", before, percentile, at(sorted, percentile));
    before = ",";
  }
  std::printf("]");
}

// Samples in the order of when they were due; those of the last window, which may be shorter, too.
void print_windows(std::span<const Stream::Sample> samples, Time begin) {
  std::printf(R"(,"windows":[)");
  std::vector<Nanoseconds> latencies;
  const char* before = "";
  for (size_t i = 0; i < samples.size();) {
    const auto number = (samples[i].due - begin) / window;
    latencies.clear();
    for (; i < samples.size() && (samples[i].due - begin) / window == number; ++i)
      latencies.push_back(samples[i].latency);
    std::ranges::sort(latencies);
    std::printf("%s[%zu,%.4f]", before, latencies.size(), at(latencies, 99));
    before = ",";
  }
  std::printf("]");
}

void print_errors(Stream& stream) {
  const int64_t lost = stream.due() - static_cast<int64_t>(stream.samples.size()) - stream.refused -
                       stream.errors["closed"] - stream.errors["connect"];
  if (lost > 0) stream.errors["unanswered"] = lost;
  std::printf(R"("errors":{)");
  const char* before = "";
  for (const auto& [kind, number] : stream.errors) {
    if (number == 0) continue;
    std::printf(R"(%s"%s":%lld)", before, kind.c_str(), static_cast<long long>(number));
    before = ",";
  }
  std::printf("}");
}

void print(Stream& stream, Nanoseconds took) {
  const auto answered = static_cast<long long>(stream.samples.size()) + stream.refused;
  std::printf(R"("%s":{"seconds":%.6f,"due":%lld,"answered":%lld,)", stream.name.c_str(),
              static_cast<double>(took.count()) / 1e9, static_cast<long long>(stream.due()),
              answered);
  print_errors(stream);
  std::ranges::sort(stream.samples, {}, &Stream::Sample::due);
  std::vector<Nanoseconds> latencies;
  latencies.reserve(stream.samples.size());
  for (const Stream::Sample& sample : stream.samples) latencies.push_back(sample.latency);
  std::ranges::sort(latencies);
  std::ranges::sort(stream.late);
  print_percentiles("latency_ms", latencies);
  print_percentiles("late_ms", stream.late);
  print_distribution(latencies);
  print_windows(stream.samples, stream.begin);
  std::printf("}");
}

}  // namespace

int main(int count, char** words) {
  if (count < 4)
    fail("usage: load_generator PORT SECONDS NAME=FILE,RATE,CONNECTIONS[,THINK_MS] ...");
  std::deque<Stream> streams;
  for (int i = 3; i < count; ++i) streams.push_back(stream_of(words[i]));
  // Else the kernel may wake it 50 us late, to wake it less often.
  ::prctl(PR_SET_TIMERSLACK, 1);
  Load load(static_cast<uint16_t>(std::atoi(words[1])), streams);
  const Nanoseconds took = load.run(Nanoseconds(static_cast<int64_t>(1e9 * std::atof(words[2]))));
  const char* before = "{";
  for (Stream& stream : streams) {
    std::printf("%s", before);
    print(stream, took);
    before = ",";
  }
  std::printf("}\n");
}
