#include "proto/pg/target_session.h"

#include <utility>

#include "proto/pg/encoder.h"
#include "proto/pg/error.h"

namespace ringpost::proto::pg {

namespace {

using Wanted = Conninfo::TargetSession;

// Both are a row of one column. The functions' schema is named: search_path is the user's.
constexpr std::string_view ask_read_only = "SHOW transaction_read_only",
                           ask_recovery = "SELECT pg_catalog.pg_is_in_recovery()";

Fit fit_if(const std::optional<bool>& known, bool expected) {
  if (!known) return Fit::unknown;
  return *known == expected ? Fit::yes : Fit::no;
}

// No writes: by the one or the other. Both have to be known to say that there are.
std::optional<bool> read_only(const ServerState& state) {
  if (state.in_hot_standby.value_or(false) || state.default_transaction_read_only.value_or(false))
    return true;
  if (!state.in_hot_standby || !state.default_transaction_read_only) return std::nullopt;
  return false;
}

}  // namespace

bool ServerState::take(const ParameterStatus& status) {
  std::optional<bool>* const known = status.name == "in_hot_standby" ? &in_hot_standby
                                     : status.name == "default_transaction_read_only"
                                         ? &default_transaction_read_only
                                         : nullptr;
  if (known == nullptr) return false;
  const bool on = status.value == "on";
  return std::exchange(*known, on) != on;
}

Fit fit(Wanted wanted, const ServerState& state) {
  switch (wanted) {
    case Wanted::any:
      return Fit::yes;
    case Wanted::read_write:
      return fit_if(read_only(state), false);
    case Wanted::read_only:
      return fit_if(read_only(state), true);
    case Wanted::primary:
      return fit_if(state.in_hot_standby, false);
    case Wanted::standby:
      return fit_if(state.in_hot_standby, true);
    case Wanted::prefer_standby:
      return state.in_hot_standby ? Fit::yes : Fit::unknown;
  }
  return Fit::yes;
}

std::string_view name_of(Wanted wanted) {
  constexpr std::string_view names[] = {"any",     "read-write", "read-only",
                                        "primary", "standby",    "prefer-standby"};
  return names[static_cast<size_t>(wanted)];
}

std::string describe_misfit(Wanted wanted, const ServerState& state) {
  const bool standby = state.in_hot_standby.value_or(false);
  std::string text;
  switch (wanted) {
    case Wanted::read_write:
      text = standby ? "is a standby" : "is read-only";
      break;
    case Wanted::read_only:
      text = "is not read-only";
      break;
    case Wanted::primary:
      text = "is a standby";
      break;
    default:
      text = "is a primary";
      break;
  }
  return text.append(" (target_session_attrs=").append(name_of(wanted)).append(")");
}

bool StateQuery::asks_for_recovery() const {
  return wanted_ != Wanted::read_write && wanted_ != Wanted::read_only;
}

void StateQuery::begin(wire::Buffer& out) const {
  Encoder(out, FrontendMessage::Query).string(asks_for_recovery() ? ask_recovery : ask_read_only);
}

StateQuery::State StateQuery::fail(std::string why) {
  failure_ = std::move(why);
  return State::failed;
}

// int16 number of columns, int32 length, the value.
StateQuery::State StateQuery::answer(std::string_view row, ServerState& state) {
  wire::Reader reader(row);
  const auto columns = reader.integer<int16_t>();
  const auto length = reader.integer<int32_t>();
  if (!reader.ok() || columns != 1 || length < 0 ||
      reader.remaining() != static_cast<size_t>(length))
    return fail("the answer to what it is can't be read");
  const std::string_view value = reader.bytes(reader.remaining());
  if (asks_for_recovery()) {
    state.in_hot_standby = value == "t";
  } else {
    // Which of the two it is does not show, and makes no difference to who asks.
    state.default_transaction_read_only = value == "on";
    state.in_hot_standby = state.in_hot_standby.value_or(false);
  }
  answered_ = true;
  return State::asking;
}

StateQuery::State StateQuery::take(const Message& message, ServerState& state) {
  switch (message.type) {
    case BackendMessage::ParameterStatus:
      if (const auto status = decode_parameter_status(message.body)) state.take(*status);
      return State::asking;
    case BackendMessage::NoticeResponse:
    case BackendMessage::RowDescription:
    case BackendMessage::CommandComplete:
      return State::asking;
    case BackendMessage::DataRow:
      if (answered_) break;
      return answer(message.body, state);
    case BackendMessage::ErrorResponse:
      return fail(decode_error(message.body).text());
    case BackendMessage::ReadyForQuery:
      if (!answered_ || message.body != "I") break;
      return State::done;
    default:
      break;
  }
  return fail(message_name(message.type) + " has no place in the answer to what it is");
}

}  // namespace ringpost::proto::pg
