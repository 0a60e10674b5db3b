#include "proto/http/server_connection.h"

#include <algorithm>
#include <cassert>
#include <utility>

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

// A body that is on its way, and the head that is kept until it has come.
struct ServerConnection::Body {
  Body(std::string_view head_bytes, const Request& request, Intake use, uint64_t limit)
      : framing(request.framing),
        intake(use),
        head_only(request.known_method == Method::head),
        continue_due(request.expect_continue),
        left(request.content_length),
        chunked(limit) {
    head.append(head_bytes);
  }

  // Takes of `input` what belongs to it; returns how many bytes that was.
  size_t take(std::string_view input) {
    if (!input.empty()) continue_due = false;
    if (intake == Intake::drop && framing == Framing::chunked) return chunked.skip(input);
    size_t used = 0;
    while (used != input.size() && !whole() && !chunked.failed()) {
      const ChunkedDecoder::Piece piece = next(input.substr(used));
      if (intake == Intake::keep) content.append(piece.content);
      used += piece.consumed;
    }
    return used;
  }
  // The first run of content.
  ChunkedDecoder::Piece next(std::string_view input) {
    if (framing == Framing::chunked) return chunked.feed(input);
    const auto size = static_cast<size_t>(std::min<uint64_t>(left, input.size()));
    left -= size;
    return {size, input.substr(0, size)};
  }
  bool whole() const { return framing == Framing::chunked ? chunked.done() : left == 0; }

  Framing framing;
  Intake intake;
  bool head_only;
  bool continue_due;   // its client waits, and was not yet told to go on
  bool taken = false;  // its request was, and it goes by pieces
  bool last = false;   // of the connection's requests
  uint64_t left;       // of a body whose length is known
  ChunkedDecoder chunked;
  wire::Buffer head, content;
};

// An answer that is here before its turn.
struct ServerConnection::Kept {
  // Its body follows, of about `expected` bytes.
  Kept(const Answer& answer, size_t expected)
      : status(answer.status),
        type_bytes(answer.content_type.size()),
        field_bytes(answer.fields.size()) {
    bytes.prepare(type_bytes + field_bytes + expected);
    bytes.append(answer.content_type);
    bytes.append(answer.fields);
  }
  Answer answer() const {
    const std::string_view all = bytes.view();
    return {.status = status,
            .content_type = all.substr(0, type_bytes),
            .body = all.substr(type_bytes + field_bytes),
            .fields = all.substr(type_bytes, field_bytes)};
  }
  size_t memory() const { return sizeof(Kept) + bytes.capacity(); }

  Status status;
  size_t type_bytes, field_bytes;
  wire::Buffer bytes;
};

ServerConnection::ServerConnection(RequestParser& whole_heads, uint64_t body_bytes)
    : whole_heads_(whole_heads), body_bytes_(body_bytes) {}

ServerConnection::~ServerConnection() = default;

ServerConnection::Event ServerConnection::next(std::string_view input) {
  input_ = input.data();
  consumed_ = 0;
  if (std::exchange(in_use_, false)) {
    half_head_.reset();
    if (closed_ || !streaming()) body_.reset();
  }
  if (closed_) {
    consumed_ = static_cast<uint32_t>(input.size());
    return Event::closed;
  }
  if (offer_ == Offer::refusal) return Event::refusal;
  return body_ != nullptr ? next_body(input) : next_head(input);
}

ServerConnection::Event ServerConnection::next_head(std::string_view input) {
  if (input.empty()) return Event::more;
  RequestParser& parser = this->parser();
  // Bytes that were offered before are read again: they may have moved.
  const bool again = std::exchange(offer_, Offer::none) != Offer::none;
  if (half_head_ == nullptr || again) parser.reset();
  switch (parser.parse(input)) {
    case wire::Parse::partial:
      // Empty lines are no request: the connection stays idle.
      if (half_head_ == nullptr && parser.started())
        half_head_ = std::make_unique<RequestParser>(parser);
      refused_head_ = begins_with_head(input);  // should it expire
      return Event::more;
    case wire::Parse::invalid:
      return refuse(parser.refusal(), begins_with_head(input));
    case wire::Parse::complete:
      break;
  }
  const Request& request = parser.request();
  at_end_ = parser.head_bytes() == input.size();
  if (request.framing == Framing::none ||
      (request.framing == Framing::length && request.content_length == 0)) {
    offer_ = Offer::head;
    return Event::request;
  }
  if (request.framing == Framing::length && request.content_length > body_bytes_)
    return refuse(body_too_large, request.known_method == Method::head);
  // Who has begun to send the body does not wait.
  const bool waits = request.expect_continue && at_end_;
  offer_ = waits ? Offer::permission : Offer::announced;
  return waits ? Event::permission : Event::body;
}

void ServerConnection::begin_body(Intake intake, uint64_t most_bytes) {
  consumed_ = static_cast<uint32_t>(parser().head_bytes());
  body_ =
      std::make_unique<Body>(std::string_view(input_, consumed_), request(), intake, most_bytes);
  half_head_.reset();
}

ServerConnection::Event ServerConnection::next_body(std::string_view input) {
  if (body_->taken) return next_piece(input);
  if (body_->intake == Intake::stream) {
    if (input.empty()) return Event::more;
    body_->continue_due = false;
    at_end_ = false;
    return offer_with_head(Offer::stream, Event::streamed);
  }
  consumed_ = static_cast<uint32_t>(body_->take(input));
  if (body_->chunked.failed()) return refuse(body_->chunked.refusal(), body_->head_only);
  if (!body_->whole()) return Event::more;
  at_end_ = consumed_ == input.size();
  return offer_with_head(Offer::body, body_->intake == Intake::keep ? Event::kept : Event::request);
}

ServerConnection::Event ServerConnection::offer_with_head(Offer offer, Event event) {
  whole_heads_.reset();
  whole_heads_.parse(body_->head.view());
  offer_ = offer;
  return event;
}

// What is no content of it is walked over; its end comes by itself.
ServerConnection::Event ServerConnection::next_piece(std::string_view input) {
  while (consumed_ != input.size() && !body_->whole() && !body_->chunked.failed()) {
    const ChunkedDecoder::Piece piece = body_->next(input.substr(consumed_));
    consumed_ += static_cast<uint32_t>(piece.consumed);
    piece_ = piece.content;
    if (!piece_.empty()) return Event::piece;
  }
  if (!body_->whole() && !body_->chunked.failed()) return Event::more;
  const bool failed = body_->chunked.failed();
  if (failed) refusal_ = &body_->chunked.refusal();
  closed_ = failed || body_->last;
  body_.reset();
  return failed ? Event::broken : Event::end;
}

ServerConnection::Event ServerConnection::refuse(const Refusal& refusal, bool head_only) {
  refusal_ = &refusal;
  refused_head_ = head_only;
  half_head_.reset();
  body_.reset();
  offer_ = Offer::refusal;
  return Event::refusal;
}

uint32_t ServerConnection::take() {
  assert(offer_ != Offer::none);
  const Offer taken = std::exchange(offer_, Offer::none);
  used_ = true;
  make_room();
  Exchange& exchange = this->exchange(taken_);
  // A body was consumed as it came; of what else was offered nothing was yet.
  const bool head = taken <= Offer::permission;
  const bool unanswerable = head && taken != Offer::head;
  consumed_ = head ? static_cast<uint32_t>(parser().head_bytes()) : 0;
  if (taken == Offer::refusal) {
    exchange = {.head_only = refused_head_, .last = true, .kept = nullptr};
  } else {
    in_use_ = true;
    // Without permission nothing behind the head can be read: whether the body comes all the same
    // can't be known.
    exchange = {.head_only = request().known_method == Method::head,
                .http_1_0 = request().minor_version == 0,
                .last = unanswerable || !request().keep_alive || (draining_ && at_end_),
                .kept = nullptr};
  }
  // A body that is still to come is received to its end.
  if (taken == Offer::stream) {
    body_->taken = true;
    body_->last = exchange.last;
  } else {
    closed_ = exchange.last;
  }
  return taken_++;
}

bool ServerConnection::accept_body(wire::Buffer& out, Intake intake, uint64_t most_bytes) {
  assert(offer_ == Offer::announced || offer_ == Offer::permission);
  const bool waits = std::exchange(offer_, Offer::none) == Offer::permission;
  const uint64_t limit = std::min(most_bytes, body_bytes_);
  if (request().framing == Framing::length && request().content_length > limit) {
    consumed_ = 0;
    refuse(body_too_large, request().known_method == Method::head);
    return false;
  }
  begin_body(intake, limit);
  if (!waits || unanswered() != 0) return false;
  body_->continue_due = false;
  append_continue(out);
  return true;
}

wire::Buffer ServerConnection::take_body() {
  return body_ != nullptr ? std::move(body_->content) : wire::Buffer();
}

bool ServerConnection::streaming() const {
  return body_ != nullptr && body_->taken;
}

size_t ServerConnection::body_memory() const {
  return body_ != nullptr ? body_->content.capacity() : 0;
}

bool ServerConnection::answer(uint32_t number, const Answer& answer, std::string_view date,
                              wire::Buffer& out) {
  assert(number - answered_ < unanswered() && exchange(number).kept == nullptr &&
         "what was taken is answered once");
  if (number != answered_) {
    auto& kept = exchange(number).kept;
    kept = std::make_unique<Kept>(answer, answer.body.size());
    kept->bytes.append(answer.body);
    kept_bytes_ += kept->memory();
    return false;
  }
  write_first(answer, date, out);
  end_first(date, out);
  return true;
}

ServerConnection::Draft ServerConnection::begin_answer(uint32_t number, const Answer& answer,
                                                       size_t expected, std::string_view date,
                                                       wire::Buffer& out) {
  assert(number - answered_ < unanswered() && exchange(number).kept == nullptr &&
         "what was taken is answered once");
  if (number != answered_) {
    auto& kept = exchange(number).kept;
    kept = std::make_unique<Kept>(answer, expected);
    return {.number = number,
            .out = &kept->bytes,
            .length = {.body_at = static_cast<uint32_t>(kept->bytes.size())}};
  }
  const auto begin = static_cast<uint32_t>(out.size());
  return {.number = number,
          .begin = begin,
          .out = &out,
          .length = append_open(out, head_of_first(answer, expected, date))};
}

bool ServerConnection::end_answer(const Draft& draft, std::string_view date, wire::Buffer& out) {
  if (draft.number != answered_) {
    kept_bytes_ += exchange(draft.number).kept->memory();
    return false;
  }
  const size_t body_at = fill_in(out, draft.length);
  if (exchange(draft.number).head_only) out.truncate(body_at);
  ++answered_;
  end_first(date, out);
  return true;
}

void ServerConnection::drop_answer(const Draft& draft) {
  if (draft.number != answered_)
    exchange(draft.number).kept.reset();
  else
    draft.out->truncate(draft.begin);
}

bool ServerConnection::begin_stream(const Answer& answer, std::string_view date,
                                    wire::Buffer& out) {
  assert(unanswered() != 0 && answer.status != Status::no_content);
  Exchange& first = exchange(answered_);
  if (first.http_1_0) {
    if (unanswered() != 1) return false;
    first.last = true;
    if (streaming())
      body_->last = true;
    else
      close();
  }
  append_lengthless(out, head_of_first(answer, 0, date), !first.http_1_0);
  return true;
}

void ServerConnection::append_piece(std::string_view piece, wire::Buffer& out) {
  const Exchange& first = exchange(answered_);
  if (piece.empty() || first.head_only) return;
  if (first.http_1_0)
    out.append(piece);
  else
    append_chunk(out, piece);
}

void ServerConnection::end_stream(std::string_view date, wire::Buffer& out) {
  const Exchange& first = exchange(answered_);
  if (!first.http_1_0 && !first.head_only) append_last_chunk(out);
  ++answered_;
  end_first(date, out);
}

void ServerConnection::cut_stream() {
  ++answered_;
  close();
}

// What waited for the first, which is written: the answers that are here, and a permission.
void ServerConnection::end_first(std::string_view date, wire::Buffer& out) {
  while (answered_ != taken_ && exchange(answered_).kept != nullptr) {
    const auto kept = std::move(exchange(answered_).kept);
    kept_bytes_ -= kept->memory();
    write_first(kept->answer(), date, out);
  }
  if (stage() == Stage::permission && answered_ == taken_) {
    body_->continue_due = false;
    append_continue(out);
  }
}

ResponseHead ServerConnection::head_of_first(const Answer& answer, size_t length,
                                             std::string_view date) const {
  const Exchange& first = exchange(answered_);
  ResponseHead head{.status = answer.status,
                    .date = date,
                    .content_type = answer.content_type,
                    .content_length = length,
                    .fields = answer.fields};
  if (first.last || (closed_ && answered_ + 1 == taken_))
    head.connection = ResponseHead::Connection::close;
  else if (first.http_1_0)
    head.connection = ResponseHead::Connection::keep_alive;
  return head;
}

// Writes the answer of the exchange that is first, and ends that.
void ServerConnection::write_first(const Answer& answer, std::string_view date, wire::Buffer& out) {
  append(out, head_of_first(answer, answer.body.size(), date));
  if (!exchange(answered_++).head_only && answer.status != Status::no_content)
    out.append(answer.body);
}

void ServerConnection::expire() {
  assert((stage() == Stage::head || stage() == Stage::body) && !streaming());
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

ServerConnection::Exchange& ServerConnection::exchange(uint32_t number) const {
  return exchanges_[number & (capacity_ - 1)];
}

// For another exchange.
void ServerConnection::make_room() {
  if (unanswered() < capacity_) return;
  const uint32_t capacity = capacity_ * 2;
  auto more = std::make_unique<Exchange[]>(capacity);
  for (uint32_t number = answered_; number != taken_; ++number)
    more[number & (capacity - 1)] = std::move(exchange(number));
  more_ = std::move(more);
  exchanges_ = more_.get();
  capacity_ = capacity;
}

}  // namespace ringpost::proto::http
