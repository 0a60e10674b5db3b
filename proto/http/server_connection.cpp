#include "proto/http/server_connection.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "proto/http/response_head.h"

namespace ringpost::proto::http {

namespace {
constexpr Refusal body_too_large{Status::content_too_large,
                                 "the body is larger than this server takes"};
constexpr Refusal head_late{Status::request_timeout, "the head did not come in time"};
constexpr Refusal body_late{Status::request_timeout, "the body did not come in time"};

// Whether these bytes, which may be no whole head, or none at all, ask by HEAD.
bool begins_with_head(std::string_view bytes) {
  while (bytes.starts_with("\r\n")) bytes.remove_prefix(2);
  return bytes.starts_with("HEAD ");
}
}  // namespace

// A body that is received and dropped, and the head that is kept until it has come.
struct ServerConnection::Body {
  Body(std::string_view head_bytes, const Request& request, uint64_t limit)
      : framing(request.framing),
        head_only(request.method == "HEAD"),
        continue_due(request.expect_continue),
        left(request.content_length),
        chunked(limit) {
    head.append(head_bytes);
  }

  // Returns how many bytes of `input` belong to it.
  size_t drop(std::string_view input) {
    if (!input.empty()) continue_due = false;
    if (framing == Framing::chunked) return chunked.skip(input);
    const auto dropped = static_cast<size_t>(std::min<uint64_t>(left, input.size()));
    left -= dropped;
    return dropped;
  }
  bool whole() const { return framing == Framing::chunked ? chunked.done() : left == 0; }

  Framing framing;
  bool head_only;
  bool continue_due;  // its client waits, and was not yet told to go on
  uint64_t left;      // of a body whose length is known
  ChunkedDecoder chunked;
  wire::Buffer head;
};

// A request that was taken, until its answer is written.
struct ServerConnection::Exchange {
  void keep(const Answer& answer) {
    status = answer.status;
    type_bytes = answer.content_type.size();
    body_bytes = answer.body.size();
    kept.prepare(type_bytes + body_bytes + answer.fields.size());
    for (const std::string_view part : {answer.content_type, answer.body, answer.fields})
      kept.append(part);
  }
  Answer answer() const {
    const std::string_view all = kept.view();
    return {status, all.substr(0, type_bytes), all.substr(type_bytes, body_bytes),
            all.substr(type_bytes + body_bytes)};
  }

  bool head_only = false, http_1_0 = false, last = false;
  bool early = false;  // its answer is here and waits for its turn
  Status status{};
  size_t type_bytes = 0, body_bytes = 0;
  wire::Buffer kept;
};

ServerConnection::ServerConnection(RequestParser& whole_heads, uint64_t body_bytes)
    : whole_heads_(whole_heads), body_bytes_(body_bytes) {}

ServerConnection::~ServerConnection() = default;

ServerConnection::Event ServerConnection::next(std::string_view input) {
  input_ = input;
  consumed_ = 0;
  if (std::exchange(in_use_, false)) {
    half_head_.reset();
    body_.reset();
  }
  if (closed_) {
    consumed_ = input.size();
    return Event::closed;
  }
  if (offer_ == Offer::refusal) return Event::refusal;
  return body_ != nullptr ? next_body() : next_head();
}

ServerConnection::Event ServerConnection::next_head() {
  if (input_.empty()) return Event::more;
  RequestParser& parser = this->parser();
  // Bytes that were offered before are read again: they may have moved.
  const bool again = std::exchange(offer_, Offer::none) != Offer::none;
  if (half_head_ == nullptr || again) parser.reset();
  switch (parser.parse(input_)) {
    case wire::Parse::partial:
      // Empty lines are no request: the connection stays idle.
      if (half_head_ == nullptr && parser.started())
        half_head_ = std::make_unique<RequestParser>(parser);
      refused_head_ = begins_with_head(input_);  // should it expire
      return Event::more;
    case wire::Parse::invalid:
      return refuse(parser.refusal(), begins_with_head(input_));
    case wire::Parse::complete:
      break;
  }
  request_ = &parser.request();
  if (request_->framing == Framing::none ||
      (request_->framing == Framing::length && request_->content_length == 0)) {
    offer_ = Offer::head;
    return Event::request;
  }
  if (request_->framing == Framing::length && request_->content_length > body_bytes_)
    return refuse(body_too_large, request_->method == "HEAD");
  // Who has begun to send the body does not wait.
  if (request_->expect_continue && parser.head_bytes() == input_.size()) {
    offer_ = Offer::permission;
    return Event::permission;
  }
  begin_body();
  return next_body();
}

void ServerConnection::begin_body() {
  consumed_ = parser().head_bytes();
  body_ = std::make_unique<Body>(input_.substr(0, consumed_), *request_, body_bytes_);
  half_head_.reset();
}

ServerConnection::Event ServerConnection::next_body() {
  consumed_ += body_->drop(input_.substr(consumed_));
  if (body_->framing == Framing::chunked && body_->chunked.failed())
    return refuse(body_->chunked.refusal(), body_->head_only);
  if (!body_->whole()) return Event::more;
  whole_heads_.reset();
  whole_heads_.parse(body_->head.view());
  request_ = &whole_heads_.request();
  offer_ = Offer::body;
  return Event::request;
}

ServerConnection::Event ServerConnection::refuse(const Refusal& refusal, bool head_only) {
  refusal_ = &refusal;
  refused_head_ = head_only;
  half_head_.reset();
  body_.reset();
  offer_ = Offer::refusal;
  return Event::refusal;
}

uint64_t ServerConnection::take() {
  assert(offer_ != Offer::none);
  const Offer taken = std::exchange(offer_, Offer::none);
  make_room();
  Exchange& exchange = this->exchange(taken_);
  exchange = {};
  if (taken == Offer::refusal) {
    consumed_ = 0;
    exchange.head_only = refused_head_;
    exchange.last = true;
  } else {
    // A body was consumed as it came; of what else was offered nothing was yet.
    const size_t end = taken == Offer::body ? consumed_ : parser().head_bytes();
    consumed_ = taken == Offer::body ? 0 : end;
    in_use_ = true;
    exchange.head_only = request_->method == "HEAD";
    exchange.http_1_0 = request_->minor_version == 0;
    // Without permission nothing behind the head can be read: whether the body comes all the same
    // can't be known.
    exchange.last =
        taken == Offer::permission || !request_->keep_alive || (draining_ && end == input_.size());
  }
  closed_ = exchange.last;
  return taken_++;
}

bool ServerConnection::accept_body(wire::Buffer& out) {
  assert(offer_ == Offer::permission);
  offer_ = Offer::none;
  begin_body();
  if (unanswered() != 0) return false;
  body_->continue_due = false;
  append_continue(out);
  return true;
}

bool ServerConnection::answer(uint64_t number, const Answer& answer, std::string_view date,
                              wire::Buffer& out) {
  assert(number >= answered_ && number < taken_ && !exchange(number).early &&
         "what was taken is answered once");
  if (number != answered_) {
    Exchange& waiting = exchange(number);
    waiting.early = true;
    waiting.keep(answer);
    kept_bytes_ += waiting.kept.capacity();
    return false;
  }
  write_first(answer, date, out);
  while (answered_ != taken_ && exchange(answered_).early)
    write_first(exchange(answered_).answer(), date, out);
  if (stage() == Stage::permission && answered_ == taken_) {
    body_->continue_due = false;
    append_continue(out);
  }
  return true;
}

// Writes the answer of the exchange that is first, and ends that.
void ServerConnection::write_first(const Answer& answer, std::string_view date, wire::Buffer& out) {
  Exchange& first = exchange(answered_);
  ResponseHead head{.status = answer.status,
                    .date = date,
                    .content_type = answer.content_type,
                    .content_length = answer.body.size(),
                    .fields = answer.fields};
  ++answered_;
  if (first.last || (closed_ && answered_ == taken_))
    head.connection = ResponseHead::Connection::close;
  else if (first.http_1_0)
    head.connection = ResponseHead::Connection::keep_alive;
  append(out, head);
  if (!first.head_only) out.append(answer.body);
  kept_bytes_ -= first.kept.capacity();
  first.kept.release();
}

void ServerConnection::expire() {
  assert(stage() == Stage::head || stage() == Stage::body);
  if (body_ != nullptr)
    refuse(body_late, body_->head_only);
  else
    refuse(head_late, refused_head_);
}

void ServerConnection::close() {
  closed_ = true;
  offer_ = Offer::none;
  if (in_use_) return;  // next() frees them
  half_head_.reset();
  body_.reset();
}

ServerConnection::Stage ServerConnection::stage() const {
  if (closed_) return Stage::closed;
  // What is offered has come, and what was taken too.
  if (offer_ == Offer::none && !in_use_) {
    if (half_head_ != nullptr) return Stage::head;
    if (body_ != nullptr) return body_->continue_due ? Stage::permission : Stage::body;
  }
  return unanswered() != 0 ? Stage::answers : Stage::idle;
}

ServerConnection::Exchange& ServerConnection::exchange(uint64_t number) const {
  return exchanges_[number & (capacity_ - 1)];
}

// For another exchange. The first is made when the first request comes: most connections never
// need a second.
void ServerConnection::make_room() {
  if (unanswered() < capacity_) return;
  const uint32_t capacity = std::max(1U, capacity_ * 2);
  auto larger = std::make_unique<Exchange[]>(capacity);
  for (uint64_t number = answered_; number != taken_; ++number)
    larger[number & (capacity - 1)] = std::move(exchange(number));
  exchanges_ = std::move(larger);
  capacity_ = capacity;
}

}  // namespace ringpost::proto::http
