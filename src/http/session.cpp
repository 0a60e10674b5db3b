#include "src/http/session.h"

#include <algorithm>
#include <cassert>
#include <string>

#include "src/io/socket_memory.h"
#include "src/io/usdt.h"

namespace ringpost::http {

using proto::http::Answer;
using proto::http::Refusal;
using proto::http::Status;
using Draft = proto::http::ServerConnection::Draft;
using Event = proto::http::ServerConnection::Event;

namespace {
constexpr std::string_view json_type = "application/json";
// What ends a body that is streamed.
constexpr Refusal body_late{Status::request_timeout, "the body did not come in time"};
constexpr Refusal body_cut{Status::bad_request, "the connection ended within the body"};

// {"error":"bad_request","detail":"..."}
std::string refusal_body(const Refusal& refusal) {
  std::string body(R"({"error":")");
  for (const char c : proto::http::reason_phrase(refusal.status))
    body += c == ' ' ? '_' : static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  return body.append(R"(","detail":")").append(refusal.reason).append(R"("})");
}
}  // namespace

Reply::~Reply() {
  if (session_ != nullptr)
    send(Status::internal_server_error, json_type, R"({"error":"internal"})");
}

void Reply::send(Status status, std::string_view content_type, std::string_view body,
                 std::string_view fields) {
  assert(session_ != nullptr && "a request is answered once");
  std::exchange(session_, nullptr)->answer(ticket_, {status, content_type, body, fields});
}

Draft Reply::begin(Status status, std::string_view content_type, size_t expected) {
  assert(session_ != nullptr && "a request is answered once");
  ticket_.status = status;
  return session_->begin_answer(ticket_.number, {.status = status, .content_type = content_type},
                                expected);
}

void Reply::end(const Draft& draft) {
  std::exchange(session_, nullptr)->end_answer(draft, ticket_);
}

void Reply::drop(const Draft& draft) {
  session_->connection_.drop_answer(draft);
}

Session::Session(Context& context, int fd, io::Cancellation& cancellation)
    : context_(context),
      stream_(context.reactor(), context.buffers(), fd, context.limits().write_timeout),
      scope_(context.reactor(), &cancellation),
      connection_(context.whole_heads(), context.limits().body_bytes),
      trail_(context.access_log() == nullptr
                 ? nullptr
                 : std::make_unique<AccessTrail>(*context.access_log(), fd)),
      since_(context.reactor().now()) {}

io::Task<void> Session::run() {
  scope_.owned_by_running_task();
  // While draining, what was already asked is all that is waited for. What has come of a peer that
  // takes no answers is dropped, so that nothing may be read behind it.
  bool taken = true;
  while (taken && !connection_.closed() &&
         !(draining_ && connection_.unanswered() != 0 && !connection_.streaming())) {
    auto reading = stream_.read(scope_.until(deadline()));
    const io::Result<std::string_view> bytes = co_await reading;
    if (!bytes) {
      if (read_again(bytes.error())) continue;
      break;
    }
    take(*bytes);
    while (!serve()) {
      stash();
      // While draining, what would wait behind an answer is not taken after the grace: requests
      // that came in one piece, and are served one by one, could hold the end up for as many
      // timeouts.
      if (draining_ && now() >= deadline() && connection_.unanswered() != 0) break;
      taken = co_await make_room();
      if (!taken) break;
      input_ = unread_.view();
    }
    stash();
  }
  co_await finish();
}

void Session::drain() {
  draining_ = true;
  since_ = now();
  connection_.drain();
  stream_.interrupt();
}

io::Time Session::idle_since() const {
  const bool idle = connection_.stage() == Stage::idle && admission_ == Admission::not_asked &&
                    !draining_ && stream_.unsent() == 0;
  return idle ? since_ : io::never;
}

// The clock of what is waited for starts with each stage.
void Session::note_stage() {
  const Stage stage = connection_.stage();
  if (stage != stage_ && !draining_) since_ = now();
  stage_ = stage;
}

io::Time Session::deadline() const {
  const Limits& limits = context_.limits();
  // While draining, half a request is closed like none, in silence: who stalls holds up no end. One
  // that was handed over is not half.
  if (draining_ && !connection_.streaming()) return since_ + context_.drain_grace();
  switch (stage_) {
    case Stage::head:
      return since_ + limits.head_timeout;
    case Stage::body:
    case Stage::permission:
      return since_ + limits.body_timeout;
    case Stage::idle:
    case Stage::answers:
    case Stage::closed:
      break;
  }
  return since_ + (connection_.used() ? limits.idle_timeout : limits.head_timeout);
}

// Whether to go on reading after a read that brought nothing.
bool Session::read_again(const io::Error& error) {
  switch (error.kind) {
    case io::Error::Kind::timed_out:
      if (stream_.failed()) return false;
      if (now() < deadline()) return true;  // an answer has moved it since
      if (stage_ == Stage::permission || stage_ == Stage::answers ||
          (stage_ == Stage::idle && stream_.unsent() != 0)) {
        // It is the peer that waits, or that is busy reading. A head or a body it has begun is due
        // all the same.
        if (draining_) return false;
        since_ = now();
        return true;
      }
      if (connection_.streaming()) {
        end_body(&body_late);
        connection_.close();
        return false;
      }
      if (stage_ != Stage::idle && !draining_) {
        connection_.expire();
        serve();
      }
      return false;
    case io::Error::Kind::cancelled:  // draining has begun, or all is given up
      return !scope_.cancellation().requested();
    case io::Error::Kind::closed:  // a peer that has asked and then ended its side still gets its
                                   // answers
      return false;
    case io::Error::Kind::system:
    case io::Error::Kind::resolve:
    case io::Error::Kind::tls:
    case io::Error::Kind::busy:
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
  if (unread_.empty()) return unread_.append(std::exchange(input_, {}));
  unread_.consume(unread_.size() - input_.size());
  if (unread_.empty()) unread_.release();
  input_ = {};
}

// Reserves memory for the answer to what is offered, and so much more.
inline bool Session::reserve(size_t more) {
  asked_ = now();
  const size_t wanted =
      memory_of(head_bytes + context_.handler().answer_bytes(connection_.request())) + more;
  wanted_ = static_cast<uint32_t>(std::min<size_t>(wanted, UINT32_MAX));
  const bool room = context_.budget().reserve(*this, wanted_);
  admission_ = room ? Admission::granted : Admission::waiting;
  return room;
}

// Whether what is offered may be taken, with memory for its answer or without.
inline bool Session::admit() {
  return admission_ == Admission::granted || admission_ == Admission::refused || reserve(0);
}

// Hands over the requests that have come. False when others are left that have to wait for room.
bool Session::serve() {
  for (;;) {
    // What is left of a body that is streamed is no further request.
    if (!input_.empty() && backlogged() && !connection_.streaming()) return false;
    const Event event = connection_.next(input_);
    input_.remove_prefix(connection_.consumed());
    switch (event) {
      case Event::more:
      case Event::closed:
        note_stage();
        return true;
      case Event::body:
      case Event::permission: {
        const Offered offered = offer_body(event == Event::permission);
        if (offered == Offered::waits) return false;
        if (offered == Offered::accepted) break;
      }
        [[fallthrough]];
      case Event::kept:
      case Event::streamed:
        // Its deadline counts from when all of it, or its first bytes, had come.
        if (event == Event::kept || event == Event::streamed) asked_ = now();
        [[fallthrough]];
      case Event::request:
        if (waits_to_be_alone() || !admit()) return false;
        dispatch();
        break;
      case Event::piece:
        if (!gather()) return false;
        break;
      case Event::end:
        end_body(nullptr);
        break;
      case Event::broken:
        end_body(&connection_.refusal());
        break;
      case Event::refusal:
        refuse();
        break;
    }
  }
}

// Whether what is offered has to wait for the answers before: pipelined requests are worked on at
// the same time where all are safe (RFC 9112, 9.3.2), for what changes something is asked in an
// order.
bool Session::waits_to_be_alone() {
  alone_ = !proto::http::is_safe(connection_.request().known_method);
  return alone_ && connection_.unanswered() != 0;
}

// A request whose body follows: says what becomes of that, which may need memory first. Answered is
// what needs no body for it.
Session::Offered Session::offer_body(bool waits) {
  using Use = proto::http::ServerConnection::Intake;
  using Kind = Intake::Kind;
  const proto::http::Request& request = connection_.request();
  const Intake intake = context_.handler().intake(request);
  if (waits && intake.kind == Kind::refused) return Offered::answered;
  const bool in_memory = intake.kind == Kind::whole || intake.kind == Kind::streamed;
  if (in_memory && admission_ == Admission::not_asked) {
    const uint64_t most = std::min(intake.most_bytes, context_.limits().body_bytes);
    const bool known = request.framing == proto::http::Framing::length;
    const uint64_t bytes = intake.kind == Kind::streamed ? BodyStream::window
                           : known                       ? request.content_length
                                                         : most;
    const bool fits = !known || request.content_length <= most;
    if (fits && !reserve(static_cast<size_t>(2 * bytes))) return Offered::waits;
  }
  if (admission_ == Admission::refused) return Offered::answered;
  const Use use = intake.kind == Kind::whole      ? Use::keep
                  : intake.kind == Kind::streamed ? Use::stream
                                                  : Use::drop;
  if (connection_.accept_body(stream_.out(), use, intake.most_bytes)) stream_.send();
  if (draining_) since_ = now();  // a body that is asked for has the grace to come
  input_.remove_prefix(connection_.consumed());
  return Offered::accepted;
}

void Session::dispatch() {
  const bool granted = std::exchange(admission_, Admission::not_asked) == Admission::granted;
  const proto::http::Request& request = connection_.request();
  Reply reply = take_offer(granted ? wanted_ : 0, request.known_method);
  RINGPOST_PROBE(parsed, this, reply.number(), request.target.data(), request.target.size());
  if (trail_) [[unlikely]]
    trail_->taken(reply.number(), &request);
  if (granted) return context_.handler().handle(request, std::move(reply));
  connection_.close();  // what else it has asked for would wait as long, each in its turn
  context_.metrics().turned_away.add();
  context_.handler().turn_away(std::move(reply));
}

// What can't be taken is answered in its turn, and the connection ends (RFC 9112, 9.6).
void Session::refuse() {
  const Refusal& refusal = connection_.refusal();
  asked_ = now();
  const bool granted = std::exchange(admission_, Admission::not_asked) == Admission::granted;
  Reply reply = take_offer(granted ? wanted_ : 0, proto::http::Method::other);
  if (trail_) [[unlikely]]
    trail_->taken(reply.number(), nullptr);
  reply.send(refusal.status, json_type, refusal_body(refusal));
}

Reply Session::take_offer(uint32_t reserved, proto::http::Method method) {
  context_.reactor().batch().asked();
  io::Gauge& active = context_.metrics().active;
  active.set(active.value() + 1);
  Reply reply(*this, {.number = connection_.take(),
                      .reserved = reserved,
                      .asked = asked_,
                      .series = Metrics::series(0, method)});
  input_.remove_prefix(connection_.consumed());
  note_stage();
  return reply;
}

void Session::answer(const Ticket& ticket, const Answer& answer) {
  if (trail_) [[unlikely]]
    trail_->answered(ticket.number, answer.status, answer.body.size(), now() - ticket.asked);
  const size_t before = answers();
  answered(connection_.answer(ticket.number, answer, context_.date(), stream_.out()), before,
           ticket, answer.status);
}

Draft Session::begin_answer(uint32_t number, const Answer& answer, size_t expected) {
  return connection_.begin_answer(number, answer, expected, context_.date(), stream_.out());
}

void Session::end_answer(const Draft& draft, const Ticket& ticket) {
  if (trail_) [[unlikely]]
    trail_->answered(ticket.number, ticket.status, draft.body().size(), now() - ticket.asked);
  // What is kept is not counted before its end.
  proto::wire::Buffer& out = stream_.out();
  const size_t before = answers() - (draft.out == &out ? out.size() - draft.begin : 0);
  answered(connection_.end_answer(draft, context_.date(), out), before, ticket, ticket.status);
}

// An answer was written or kept, and those that were kept may have been written.
void Session::answered(bool due, size_t before, const Ticket& ticket, Status status) {
  if (due) stream_.send();
  // What is written may take less than what was kept of it.
  const size_t after = answers();
  context_.budget().settle(*this, ticket.reserved, after > before ? memory_of(after - before) : 0);
  note_stage();
  context_.reactor().batch().answered();
  const io::Duration took = now() - ticket.asked;
  context_.metrics().answered(ticket.series, status, took);
  RINGPOST_PROBE(answered, this, ticket.number, static_cast<unsigned>(status), took.count());
  answered_.changed();
  if (!to_stream_.empty()) [[unlikely]]
    tell_who_waits_to_stream();
}

size_t Session::held() const {
  const size_t body = incoming_ != nullptr ? incoming_->gathered.capacity() : 0;
  return stream_.memory() + unread_.capacity() + connection_.kept_bytes() +
         connection_.body_memory() + body + io::socket_memory(stream_.fd(), stream_.unsent());
}

bool Session::backlogged() const {
  const Limits& limits = context_.limits();
  return connection_.unanswered() >= at_a_time() ||
         connection_.kept_bytes() > limits.unsent_bytes || stream_.unsent() > limits.unsent_bytes;
}

// Waits until another request may be taken. False when the peer takes no answers.
io::Task<bool> Session::make_room() {
  stream_.release();
  const io::Time begin = now();
  const Limits& limits = context_.limits();
  if (admission_ == Admission::waiting) {
    const io::Until until = scope_.until(begin + limits.room_timeout);
    const bool granted = co_await context_.budget().wait(*this, wanted_, until);
    admission_ = granted ? Admission::granted : Admission::refused;
  } else {
    // Requests have deadlines of their own. Who streams an answer waits for the same room; a body
    // that is streamed is no further request.
    const bool by_reader = connection_.streaming();
    auto answered = answered_.wait(context_.reactor(), {}, [&] {
      if (by_reader)
        return incoming_ == nullptr || incoming_->gathered.size() <= BodyStream::window;
      return connection_.unanswered() < at_a_time() &&
             connection_.kept_bytes() <= limits.unsent_bytes && !streams_;
    });
    co_await answered;
    if (!by_reader) {
      waits_for_room_ = true;
      auto draining = stream_.drained(limits.unsent_bytes, scope_.until());
      const io::Result<void> drained = co_await draining;
      waits_for_room_ = false;
      tell_who_waits_to_stream();
      if (!drained) co_return false;
    }
  }
  if (!draining_) since_ += now() - begin;  // nothing was read, so nothing could come
  co_return !stream_.failed();
}

io::Task<void> Session::finish() {
  end_body(&body_cut);
  connection_.close();
  stream_.release();
  auto answered =
      answered_.wait(context_.reactor(), {}, [this] { return connection_.unanswered() == 0; });
  co_await answered;
  co_await scope_.join();
  auto draining = stream_.drained(0, scope_.until(now() + context_.limits().write_timeout));
  const io::Result<void> drained = co_await draining;
  if (drained && !scope_.cancellation().requested()) co_await linger();
  co_await stream_.close();
  context_.budget().close(*this);
}

// Closing with bytes unread would reset the connection and could take our last answer with it: let
// the peer close first. Draining makes nobody close sooner than silence does.
io::Task<void> Session::linger() {
  const Limits& limits = context_.limits();
  stream_.shutdown_send();
  const io::Time begin = now();
  io::Time heard = begin;
  while (!scope_.cancellation().requested()) {
    const io::Time end = begin + (draining_ ? limits.linger_timeout : limits.linger_limit);
    if (now() >= end) break;
    auto reading = stream_.read(scope_.until(std::min(end, heard + limits.linger_timeout)));
    const io::Result<std::string_view> dropped = co_await reading;
    if (dropped)
      heard = now();
    else if (dropped.error().kind != io::Error::Kind::cancelled)
      break;
  }
}

}  // namespace ringpost::http
