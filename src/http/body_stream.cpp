#include "src/http/body_stream.h"

#include "src/http/session.h"

namespace ringpost::http {

using proto::http::Refusal;
using proto::http::Status;

namespace {
constexpr Refusal late{Status::request_timeout, "the body did not come in time"};
constexpr Refusal given_up{Status::bad_request, "the body was given up"};
}  // namespace

BodyStream::BodyStream(Session& session) : incoming_(std::make_unique<Incoming>()) {
  session.deliver_to(*incoming_);
}

BodyStream::~BodyStream() {
  if (incoming_ != nullptr && incoming_->session != nullptr) incoming_->session->drop_body();
}

io::Task<std::expected<std::string_view, const Refusal*>> BodyStream::read(io::Until until) {
  Incoming& incoming = *incoming_;
  read_.clear();
  if (incoming.gathered.empty() && !incoming.ended && incoming.failure == nullptr) {
    auto change = incoming.changed.wait(incoming.session->reactor(), until, [&incoming] {
      return !incoming.gathered.empty() || incoming.ended || incoming.failure != nullptr;
    });
    const bool changed = co_await change;
    if (!changed) {
      const bool cancelled = until.cancellation != nullptr && until.cancellation->requested();
      co_return std::unexpected(cancelled ? &given_up : &late);
    }
  }
  if (!incoming.gathered.empty()) {
    read_.swap(incoming.gathered);
    if (incoming.session != nullptr) incoming.session->body_was_read();
    co_return read_.view();
  }
  if (incoming.failure != nullptr) co_return std::unexpected(incoming.failure);
  co_return std::string_view();
}

}  // namespace ringpost::http
