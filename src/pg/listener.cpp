#include "src/pg/listener.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "proto/pg/dynamic_statement.h"
#include "proto/pg/error.h"
#include "proto/pg/frontend.h"
#include "proto/pg/notification.h"
#include "src/io/sleep.h"
#include "src/pg/prepared.h"

namespace ringpost::pg {

namespace messages = proto::pg;
using messages::Pipeline;

namespace {

uint32_t depth_for(const std::vector<std::string>& channels) {
  return std::bit_ceil(static_cast<uint32_t>(std::max<size_t>(channels.size(), 1)));
}

}  // namespace

Listener::Listener(io::Reactor& reactor, io::BufferGroup& buffers, const Options& options,
                   std::vector<std::string> channels, Observer& observer, size_t most_waiting)
    : reactor_(reactor),
      options_(options),
      channels_(std::move(channels)),
      observer_(observer),
      most_waiting_(std::max<size_t>(most_waiting, 1)),
      connector_(reactor, buffers, options),
      session_(reactor, buffers),
      pipeline_(depth_for(channels_), options.answer_bytes) {}

io::Task<void> Listener::run() {
  io::Duration pause = options_.first_backoff;
  const io::Until until{io::never, &stop_};
  std::string trouble;
  while (!stop_.requested()) {
    Connector::Walk walk(connector_, until);
    const Result<size_t> opened = co_await walk.next(session_);
    if (opened) {
      const std::string why = co_await listen();
      if (std::exchange(listens_, false)) {
        if (!stop_.requested()) observer_.connection_lost(why, 0);
        trouble.clear();
        pause = options_.first_backoff;
      } else if (!stop_.requested() && why != trouble) {
        observer_.connect_failed(trouble = why);
      }
      messages::encode_terminate(session_.out());
      session_.send();
      co_await session_.taken();
      co_await session_.close();
    } else if (!stop_.requested() && opened.error().detail != trouble) {
      trouble = opened.error().detail;
      observer_.connect_failed(opened.error().message());
    }
    if (stop_.requested()) break;
    co_await io::Sleep(reactor_, pause, &stop_);
    pause = std::min<io::Duration>(2 * pause, options_.last_backoff);
  }
  ended_ = true;
  has_next_.changed();
}

void Listener::ask() {
  pipeline_ = Pipeline(depth_for(channels_), options_.answer_bytes);
  for (const std::string& channel : channels_) {
    const messages::DynamicStatement statement(messages::Access::write,
                                               "LISTEN " + messages::quote_identifier(channel));
    Prepared::encode(session_.out(), statement.description(), {});
    statement.encode_bind(session_.out());
    // Whoever asked is this listener, for all of them.
    pipeline_.push(session_.out(), Pipeline::Expect::prepare_and_execute, this);
  }
  session_.send();
}

io::Task<std::string> Listener::listen() {
  ask();
  if (pipeline_.empty()) begin();
  const io::Until answered_by = connector_.attempt({io::never, &stop_});
  for (;;) {
    const io::Until until = listens_ ? io::Until{io::never, &stop_} : answered_by;
    const io::Result<std::string_view> bytes = co_await session_.receive(until);
    if (!bytes) co_return bytes.error().message();
    const std::optional<std::string> lost = take();
    if (lost) co_return *lost;
  }
}

// It listens on all: what is heard from here on was sent after what nobody knows.
void Listener::begin() {
  listens_ = true;
  observer_.connected(session_.address(), session_.server_version);
  put({.what = Heard::What::listening, .channel = {}, .payload = {}});
}

// All that has come; why the session has to end, if it has to.
std::optional<std::string> Listener::take() {
  for (;;) {
    const Pipeline::Event event = pipeline_.next(session_.unread().view());
    const Pipeline::Answer& answer = pipeline_.answer();
    switch (event) {
      case Pipeline::Event::more:
        session_.unread().consume(pipeline_.consumed());
        return std::nullopt;
      case Pipeline::Event::answer:
        if (answer.failed) return messages::decode_error(answer.error).text();
        if (pipeline_.empty()) begin();
        break;
      case Pipeline::Event::asynchronous:
        hear(pipeline_.message());
        break;
      case Pipeline::Event::fatal:
        return messages::decode_error(pipeline_.message().body).text();
      case Pipeline::Event::too_large:
      case Pipeline::Event::skipped:
      case Pipeline::Event::violation:
        return "protocol violation: " + messages::message_name(pipeline_.message().type) +
               " out of place";
    }
    session_.unread().consume(pipeline_.consumed());
  }
}

void Listener::hear(const messages::Message& message) {
  if (message.type == messages::BackendMessage::NoticeResponse) {
    const messages::ErrorResponse notice = messages::decode_error(message.body);
    observer_.notice(notice.severity, notice.message);
  }
  if (message.type != messages::BackendMessage::NotificationResponse) return;
  const auto notification = messages::decode_notification(message.body);
  if (!notification) return;
  put({.what = Heard::What::notification,
       .channel = std::string(notification->channel),
       .payload = std::string(notification->payload),
       .process_id = notification->process_id});
}

void Listener::put(Heard heard) {
  if (waiting_.size() == most_waiting_) {
    waiting_.pop_front();
    ++missed_;
  }
  waiting_.push_back(std::move(heard));
  has_next_.changed();
}

io::Task<Result<Heard>> Listener::next(io::Until until) {
  auto there = has_next_.wait(reactor_, until, [this] { return !waiting_.empty() || ended_; });
  const bool came = co_await there;
  if (!came) {
    const bool cancelled = there.outcome() == io::Wait::Outcome::cancelled;
    co_return std::unexpected(
        Error{cancelled ? Error::Kind::cancelled : Error::Kind::timed_out, nullptr, {}});
  }
  if (missed_ != 0)
    co_return Heard{.what = Heard::What::missed,
                    .channel = {},
                    .payload = {},
                    .count = std::exchange(missed_, 0)};
  if (waiting_.empty()) co_return std::unexpected(Error{Error::Kind::cancelled, nullptr, {}});
  Heard heard = std::move(waiting_.front());
  waiting_.pop_front();
  co_return heard;
}

}  // namespace ringpost::pg
