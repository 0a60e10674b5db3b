#include "src/http/session.h"

#include <algorithm>
#include <cassert>
#include <string>

#include "proto/http/response_head.h"
#include "src/io/frames.h"

namespace ringpost::http {

using proto::http::Framing;
using proto::http::Request;
using proto::http::Status;
using proto::wire::Parse;

// What a request is answered: views, of the caller's own or of what an Exchange keeps.
struct Answer {
  Status status;
  std::string_view content_type, body, fields;
};

// A request that has not been answered, or whose answer waits for an earlier one. What it says of
// the connection is decided when it is sent, so its head is not written before.
class Exchange : public io::ListNode<Exchange> {
 public:
  Exchange(Session& owner, bool head, bool old, bool last)
      : session(owner), head_only(head), http_1_0(old), close(last) {}

  static void* operator new(size_t size) { return io::allocate_frame(size); }
  static void operator delete(void* memory, size_t size) { io::free_frame(memory, size); }

  void keep(const Answer& answer) {
    status_ = answer.status;
    type_size_ = answer.content_type.size();
    body_size_ = answer.body.size();
    for (const std::string_view part : {answer.content_type, answer.body, answer.fields})
      kept_.append(part);
  }
  Answer kept() const {
    const std::string_view all = kept_.view();
    return {status_, all.substr(0, type_size_), all.substr(type_size_, body_size_),
            all.substr(type_size_ + body_size_)};
  }

  Session& session;
  bool head_only, http_1_0, close;
  bool done = false;

 private:
  Status status_{};
  size_t type_size_ = 0, body_size_ = 0;
  proto::wire::Buffer kept_;
};

// The head of a request, kept while its body is received and dropped.
struct Session::Body {
  Body(std::string_view head_bytes, const Request& request, uint64_t limit)
      : framing(request.framing),
        head_only(request.method == "HEAD"),
        remaining(request.content_length),
        chunked(limit) {
    head.append(head_bytes);
  }
  proto::wire::Buffer head;
  Framing framing;
  bool head_only;
  uint64_t remaining;
  proto::http::ChunkedDecoder chunked;
};

Reply::~Reply() {
  if (exchange_ != nullptr)
    send(Status::internal_server_error, "application/json", R"({"error":"internal"})");
}

Session& Reply::session() const {
  return exchange_->session;
}

void Reply::send(Status status, std::string_view content_type, std::string_view body,
                 std::string_view fields) {
  assert(exchange_ != nullptr && "a request is answered once");
  Exchange& exchange = *std::exchange(exchange_, nullptr);
  exchange.session.answer(exchange, {status, content_type, body, fields});
}

Session::Session(Service& service, int fd, io::Cancellation& cancellation)
    : service_(service),
      stream_(service.reactor(), service.buffers(), fd, service.limits().write_timeout),
      scope_(service.reactor(), &cancellation),
      reading_(&scope_.cancellation()),
      since_(service.reactor().now()) {}

Session::~Session() = default;

io::Task<void> Session::run() {
  // While draining, what was already asked is all that is waited for.
  while (!closing_ && !(draining_ && in_flight_ != 0)) {
    auto reading = stream_.read({deadline(), draining_ ? &scope_.cancellation() : &reading_});
    const io::Result<std::string_view> bytes = co_await reading;
    if (!bytes) {
      if (read_again(bytes.error())) continue;
      break;
    }
    take(*bytes);
    for (parse(); !closing_ && !input_.empty() && backlogged(); parse()) {
      stash();
      const io::Time paused = service_.reactor().now();
      if (!co_await make_room()) break;
      since_ += service_.reactor().now() - paused;  // nothing was read, so nothing could come
      input_ = unread_.view();
    }
    stash();
  }
  co_await finish();
}

void Session::drain() {
  draining_ = true;
  grace_ends_ = service_.reactor().now() + service_.limits().drain_grace;
  reading_.request();
}

io::Time Session::deadline() const {
  const Limits& limits = service_.limits();
  // While draining, half a request is closed like none, in silence: who stalls holds up no end.
  if (draining_) return grace_ends_;
  if (body_ != nullptr) return since_ + limits.body_timeout;
  if (half_head_ != nullptr) return since_ + limits.head_timeout;
  return since_ + (asked_ ? limits.idle_timeout : limits.head_timeout);
}

// Whether to go on reading after a read that brought nothing.
bool Session::read_again(const io::Error& error) {
  const io::Time now = service_.reactor().now();
  switch (error.kind) {
    case io::Error::Kind::timed_out:
      if (stream_.failed()) return false;
      if (now < deadline()) return true;  // an answer has moved it since
      if (continue_due_ || (!begun() && (in_flight_ != 0 || stream_.unsent() != 0))) {
        // It is the peer that waits, or that is busy reading. A head or a body it has begun is due
        // all the same.
        since_ = now;
        return !draining_;
      }
      if (begun() && !draining_) refuse_late();
      return false;
    case io::Error::Kind::cancelled:  // draining has begun, or all is given up
      return !scope_.cancellation().requested();
    case io::Error::Kind::closed:  // a peer that has asked and then ended its side still gets its
                                   // answers
      return false;
    case io::Error::Kind::system:
    case io::Error::Kind::resolve:
      break;
  }
  scope_.cancel();  // nobody is there to be answered
  return false;
}

void Session::take(std::string_view arrived) {
  if (unread_.empty()) {
    input_ = arrived;
    return;
  }
  unread_.append(arrived);
  input_ = unread_.view();
}

// Keeps what is left of the input for later, and gives the stream its buffer back.
void Session::stash() {
  if (!unread_.empty())
    unread_.consume(unread_.size() - input_.size());
  else
    unread_.append(input_);
  if (unread_.empty()) unread_.release();
  input_ = {};
}

bool Session::backlogged() const {
  return in_flight_ >= service_.limits().pipelined ||
         stream_.unsent() > service_.limits().unsent_bytes;
}

// Waits until another request may be taken. False when the peer takes no answers.
io::Task<bool> Session::make_room() {
  stream_.release();
  co_await settled(service_.limits().pipelined - 1);
  auto draining = stream_.drained(service_.limits().unsent_bytes, scope_.until());
  const io::Result<void> drained = co_await draining;
  co_return drained.has_value();
}

void Session::parse() {
  while (!input_.empty() && !closing_ && !backlogged()) {
    if (body_ != nullptr) {
      take_body();
      continue;
    }
    const bool begun = half_head_ != nullptr;
    proto::http::RequestParser& parser = begun ? *half_head_ : service_.parser();
    switch (parser.parse(input_)) {
      case Parse::partial:
        if (begun) return;
        if (parser.started()) {  // empty lines are none: the connection is idle
          half_head_ = std::make_unique<proto::http::RequestParser>(parser);
          since_ = service_.reactor().now();
        }
        parser.reset();
        return;
      case Parse::invalid:
        refuse(parser.error(), parser.reason());
        break;
      case Parse::complete: {
        const Request& request = parser.request();
        const std::string_view head = input_.substr(0, parser.head_bytes());
        input_.remove_prefix(head.size());
        if (request.framing == Framing::none)
          dispatch(request);
        else
          begin_body(request, head);
        break;
      }
    }
    parser.reset();
    half_head_.reset();
  }
}

void Session::dispatch(const Request& request, bool ends) {
  // While draining, the last that has come is the last that is taken: its answer says so.
  const bool last = ends || !request.keep_alive || (draining_ && input_.empty());
  if (last) closing_ = true;
  Exchange& exchange = begin_exchange(request.method == "HEAD", request.minor_version == 0, last);
  service_.handle(request, Reply(exchange));
}

void Session::begin_body(const Request& request, std::string_view head) {
  const bool head_only = request.method == "HEAD";
  if (request.framing == Framing::length && request.content_length > service_.limits().body_bytes)
    return refuse(Status::content_too_large, "the body is larger than this server takes",
                  head_only);
  const bool waits = request.expect_continue && input_.empty();
  // Whether the body comes all the same can't be known, so nothing behind it can be read.
  if (waits && !service_.takes_body(request)) return dispatch(request, true);
  body_ = std::make_unique<Body>(head, request, service_.limits().body_bytes);
  since_ = service_.reactor().now();
  continue_due_ = waits;
  send_continue();
  if (request.framing == Framing::length && request.content_length == 0) take_body();
}

// The client waits for it before it sends the body. An interim answer must not overtake an earlier
// final one.
void Session::send_continue() {
  if (!continue_due_ || in_flight_ != 0 || closing_) return;
  continue_due_ = false;
  since_ = service_.reactor().now();
  proto::http::append_continue(stream_.out());
  stream_.send();
}

// Drops what has come of the body; the request is dispatched when all of it has.
void Session::take_body() {
  continue_due_ = false;
  bool whole = false;
  if (body_->framing == Framing::length) {
    const auto taken = static_cast<size_t>(std::min<uint64_t>(body_->remaining, input_.size()));
    input_.remove_prefix(taken);
    body_->remaining -= taken;
    whole = body_->remaining == 0;
  } else {
    const size_t taken = body_->chunked.skip(input_);
    input_.remove_prefix(taken);
    if (body_->chunked.failed()) {
      refuse(body_->chunked.error(), body_->chunked.reason(), body_->head_only);
      body_.reset();
      return;
    }
    whole = body_->chunked.done();
  }
  if (!whole) return;
  const std::unique_ptr<Body> body = std::move(body_);
  proto::http::RequestParser parser(service_.limits().head);
  parser.parse(body->head.view());
  dispatch(parser.request());
}

// The request can't be understood, or is not taken: it is answered in its turn and the connection
// ends (RFC 9112, 9.6).
void Session::refuse(Status status, std::string_view reason, bool head_only) {
  closing_ = true;
  std::string body(R"({"error":")");
  for (const char c : proto::http::reason_phrase(status))
    body += c == ' ' ? '_' : static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  body.append(R"(","detail":")").append(reason).append(R"("})");
  Reply(begin_exchange(head_only, false, true)).send(status, "application/json", body);
}

void Session::refuse_late() {
  refuse(Status::request_timeout,
         body_ != nullptr ? "the body did not come in time" : "the head did not come in time",
         body_ != nullptr && body_->head_only);
  half_head_.reset();
  body_.reset();
}

Exchange& Session::begin_exchange(bool head_only, bool http_1_0, bool close) {
  auto* exchange = new Exchange(*this, head_only, http_1_0, close);
  exchanges_.push_back(*exchange);
  ++in_flight_;
  asked_ = true;
  return *exchange;
}

void Session::answer(Exchange& exchange, const Answer& answer) {
  exchange.done = true;
  if (&exchanges_.front() != &exchange) return exchange.keep(answer);
  send_first(answer);
  while (!exchanges_.empty() && exchanges_.front().done) send_first(exchanges_.front().kept());
  send_continue();
  stream_.send();
  if (idle()) since_ = service_.reactor().now();
  answered_.changed();
}

// Appends the answer of the first exchange, and ends that.
void Session::send_first(const Answer& answer) {
  const Exchange& exchange = exchanges_.front();
  const bool last = &exchanges_.back() == &exchange;
  proto::wire::Buffer& out = stream_.out();
  proto::http::ResponseHead head{.status = answer.status,
                                 .date = service_.date(),
                                 .content_type = answer.content_type,
                                 .content_length = answer.body.size(),
                                 .fields = answer.fields};
  if (exchange.close || (closing_ && last))
    head.connection = proto::http::ResponseHead::Connection::close;
  else if (exchange.http_1_0)
    head.connection = proto::http::ResponseHead::Connection::keep_alive;
  proto::http::append(out, head);
  if (!exchange.head_only) out.append(answer.body);
  delete &exchanges_.pop_front();
  --in_flight_;
}

io::Task<void> Session::finish() {
  closing_ = true;
  stream_.release();
  co_await settled(0);
  co_await scope_.join();
  const io::Time now = service_.reactor().now();
  auto draining = stream_.drained(0, scope_.until(now + service_.limits().write_timeout));
  const io::Result<void> drained = co_await draining;
  if (drained && !scope_.cancellation().requested()) {
    // Closing with bytes unread would reset the connection and could take our last answer with it:
    // let the peer close first.
    stream_.shutdown_send();
    const io::Until linger =
        scope_.until(service_.reactor().now() + service_.limits().linger_timeout);
    for (;;) {
      auto reading = stream_.read(linger);
      const io::Result<std::string_view> dropped = co_await reading;
      if (!dropped) break;
    }
  }
  co_await stream_.close();
}

}  // namespace ringpost::http
