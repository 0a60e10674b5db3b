// HttpClient: the peer of an HTTP server, on the server's own reactor, for tests of what it
// answers.
//
// It owns its end of the connection; close() is awaited before it ends. Answers come as the bytes
// that were sent, but for the Date line: its form is checked, then it is left out, so that a test
// can write the rest literally. Waits are limited to 5 s, so that a missing answer fails its test.
#pragma once

#include <charconv>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "src/io/buffer_group.h"
#include "src/io/reactor.h"
#include "src/io/stream.h"
#include "src/io/task.h"

namespace ringpost::tests {

// Lets the reactor make one turn.
class Turn final : public io::Wait {
 public:
  explicit Turn(io::Reactor& reactor) : Wait(reactor, {}) {}
  bool await_ready() const { return false; }
  bool await_suspend(std::coroutine_handle<> awaiter) {
    const bool suspended = suspend(awaiter);
    notify();
    return suspended;
  }
  void await_resume() const {}
};

class HttpClient {
 public:
  HttpClient(io::Reactor& reactor, io::BufferGroup& buffers, int fd)
      : reactor_(reactor), stream_(reactor, buffers, fd, std::chrono::seconds(5)) {}

  int fd() const { return stream_.fd(); }
  // Bytes that the server's side has not taken.
  size_t unsent() const { return stream_.unsent(); }

  // Leaves with the end of this turn.
  void send(std::string_view bytes) {
    stream_.out().append(bytes);
    stream_.send();
  }
  // Sends, and lets the server take it.
  io::Task<void> send_now(std::string bytes) {
    send(bytes);
    (void)co_await stream_.drained(0, soon());
    for (int turns = 0; turns < 4; ++turns) co_await Turn(reactor_);
  }

  // Nothing more will be sent.
  void end() { stream_.shutdown_send(); }

  // One answer, interim ones too, without its Date; what a missing one was is told instead.
  // `to_head`: the answer to a HEAD, which has no body.
  io::Task<std::string> answer(bool to_head = false) {
    size_t head = 0;
    while ((head = unread_.find("\r\n\r\n")) == std::string::npos)
      if (!co_await more()) co_return missing();
    head += 4;
    std::string text = unread_.substr(0, head);
    unread_.erase(0, head);
    const size_t body = to_head ? 0 : length_of(text);
    date_ = take_date(text);
    while (unread_.size() < body)
      if (!co_await more()) co_return text + missing();
    text += unread_.substr(0, body);
    unread_.erase(0, body);
    co_return text;
  }
  // The answer's Date, of the last answer().
  const std::string& date() const { return date_; }

  // What comes up to the end of the connection, and how that ended.
  io::Task<std::string> rest() {
    // g++ 12 loses `while (co_await more()) {}`.
    for (bool came = true; came;) came = co_await more();
    co_return std::exchange(unread_, {}) + "|" + ended_;
  }
  // What comes within `quiet`.
  io::Task<std::string> within(io::Duration quiet) {
    const io::Time until = reactor_.now() + quiet;
    for (bool came = true; came;) came = co_await more({until});
    co_return std::exchange(unread_, {});
  }
  // The bytes of one arrival: of a SOCK_SEQPACKET socket, one send.
  io::Task<std::string> arrival() {
    const auto bytes = co_await stream_.read(soon());
    co_return bytes ? std::string(*bytes) : bytes.error().message();
  }

  io::Task<void> close() { return stream_.close(); }

 private:
  io::Until soon() const { return {reactor_.now() + std::chrono::seconds(5)}; }
  io::Task<bool> more() { return more(soon()); }
  io::Task<bool> more(io::Until until) {
    const auto bytes = co_await stream_.read(until);
    if (bytes)
      unread_ += *bytes;
    else
      ended_ = bytes.error().message();
    co_return bytes.has_value();
  }
  std::string missing() const { return "(" + ended_ + ", after: " + unread_ + ")"; }

  static size_t length_of(const std::string& head) {
    constexpr std::string_view name = "\r\nContent-Length: ";
    const size_t at = head.find(name);
    size_t length = 0;
    if (at != std::string::npos)
      std::from_chars(head.data() + at + name.size(), head.data() + head.size(), length);
    return length;
  }

 public:
  // Takes the Date line out of a head: its value, empty when there is none.
  static std::string take_date(std::string& head) {
    constexpr std::string_view name = "\r\nDate: ";
    constexpr size_t length = 29;  // Sun, 06 Nov 1994 08:49:37 GMT
    const size_t at = head.find(name);
    if (at == std::string::npos) return {};
    const std::string value = head.substr(at + name.size(), length);
    EXPECT_TRUE(value.ends_with(" GMT")) << value;
    EXPECT_EQ(head.substr(at + name.size() + length, 2), "\r\n");
    head.erase(at, name.size() + length);
    return value;
  }

 private:
  io::Reactor& reactor_;
  io::Stream stream_;
  std::string unread_, date_, ended_ = "nothing was read";
};

}  // namespace ringpost::tests
