// A ServerConnection and what has come for it. Each call of next() sees the bytes in a block of
// their own, and those of the call before are freed first: AddressSanitizer sees a view that
// outlived them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "proto/http/server_connection.h"
#include "tests/support/guarded.h"

namespace ringpost::tests {

class DrivenConnection {
 public:
  using Event = proto::http::ServerConnection::Event;
  using Stage = proto::http::ServerConnection::Stage;

  static constexpr uint64_t body_bytes = 8;

  DrivenConnection()
      : parser_(std::make_unique<proto::http::RequestParser>()), connection(*parser_, body_bytes) {}
  explicit DrivenConnection(proto::http::RequestParser& shared) : connection(shared, body_bytes) {}

 private:
  std::unique_ptr<proto::http::RequestParser> parser_;

 public:
  proto::http::ServerConnection connection;
  proto::http::ServerConnection::Intake intake = proto::http::ServerConnection::Intake::drop;
  uint64_t most_bytes = body_bytes;
  std::string unread;   // has come and was not consumed
  size_t consumed = 0;  // in all

  // What is made of what has come: "GET /a", "PUT /b waits", "400", "more", "closed".
  std::string come(std::string_view bytes = {}) {
    unread += bytes;
    input_.reset();
    input_.emplace(unread);
    Event event = connection.next(input_->view());
    drop_consumed();
    if (event == Event::body) {  // of which is made what the test says
      EXPECT_FALSE(connection.accept_body(out_, intake, most_bytes));
      drop_consumed();
      input_.reset();
      input_.emplace(unread);
      event = connection.next(input_->view());
      drop_consumed();
    }
    switch (event) {
      case Event::more:
        return "more";
      case Event::closed:
        return "closed";
      case Event::refusal:
        return std::to_string(static_cast<int>(connection.refusal().status));
      case Event::piece:
        return "piece " + std::string(connection.piece());
      case Event::end:
        return "end";
      case Event::broken:
        return "broken " + std::to_string(static_cast<int>(connection.refusal().status));
      case Event::kept:
        return asked() + " with " + std::string(connection.take_body().view());
      case Event::streamed:
        return asked() + " begins";
      case Event::body:
        return "a body again";
      case Event::request:
      case Event::permission:
        break;
    }
    return asked() + (event == Event::permission ? " waits" : "");
  }
  std::string asked() const {
    const proto::http::Request& request = connection.request();
    return std::string(request.method) + " " + std::string(request.target);
  }

  uint32_t take() {
    const uint32_t number = connection.take();
    drop_consumed();
    return number;
  }
  std::string accept_body() {
    const bool written = connection.accept_body(out_);
    drop_consumed();
    const std::string all = take_written();
    return written == !all.empty() ? all : "accept_body() says otherwise";
  }

  // Takes all that has come, and each body that a client waits to send: "GET /a, PUT /b waits".
  std::string serve(std::string_view bytes) {
    std::string said;
    for (std::string event = come(bytes); event != "more" && event != "closed"; event = come()) {
      said += (said.empty() ? "" : ", ") + event;
      if (event.ends_with(" waits")) {
        interim += accept_body();
        continue;
      }
      take();
      ends.push_back(consumed);
    }
    return said;
  }
  std::string interim;       // what accept_body() wrote there
  std::vector<size_t> ends;  // `consumed` behind each that was taken there

  // What is written then; nothing while it waits for its turn.
  std::string answer(uint32_t number, const proto::http::Answer& answer) {
    const bool written = connection.answer(number, answer, {}, out_);
    const std::string all = take_written();
    return written == !all.empty() ? all : "answer() says otherwise";
  }
  // The same by a draft, which is begun for `expected` bytes.
  std::string write(uint32_t number, const proto::http::Answer& answer, size_t expected) {
    const auto draft = begin(number, answer, expected);
    draft.out->append(answer.body);
    EXPECT_EQ(draft.body(), answer.body);
    const bool written = connection.end_answer(draft, {}, out_);
    const std::string all = take_written();
    return written == !all.empty() ? all : "end_answer() says otherwise";
  }
  proto::http::ServerConnection::Draft begin(uint32_t number, const proto::http::Answer& answer,
                                             size_t expected) {
    return connection.begin_answer(number, answer, expected, {}, out_);
  }
  std::string answer(uint32_t number, std::string_view body) {
    return answer(number, {.body = body});
  }

  // "idle", and behind it "+2" where two requests are unanswered.
  std::string stage() const {
    static constexpr const char* names[] = {"idle",       "answers", "head",
                                            "permission", "body",    "closed"};
    const std::string name = names[static_cast<size_t>(connection.stage())];
    const uint32_t unanswered = connection.unanswered();
    return unanswered == 0 ? name : name + "+" + std::to_string(unanswered);
  }

 private:
  void drop_consumed() {
    EXPECT_LE(connection.consumed(), unread.size());
    consumed += connection.consumed();
    unread.erase(0, connection.consumed());
  }
  std::string take_written() {
    std::string all(out_.view());
    out_.release();
    return all;
  }

  std::optional<Guarded> input_;
  proto::wire::Buffer out_;
};

}  // namespace ringpost::tests
