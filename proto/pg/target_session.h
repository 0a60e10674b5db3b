// What a server lets a session do, and whether that is what target_session_attrs asks for
// (PostgreSQL 18 documentation, 32.1.2 "Parameter Key Words").
//
// A server says it by ParameterStatus, at the start and whenever it changes, from PostgreSQL 14 on:
//
//     in_hot_standby                  on: a standby
//     default_transaction_read_only   on: its sessions begin read-only
//
// What is older, or a pooler that keeps them to itself, is asked: StateQuery. No I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/pg/backend.h"
#include "proto/pg/conninfo.h"
#include "proto/wire/buffer.h"

namespace ringpost::proto::pg {

struct ServerState {
  std::optional<bool> in_hot_standby, default_transaction_read_only;

  // Notes what a ParameterStatus says; true when it says another thing of one of the two than is
  // known.
  bool take(const ParameterStatus& status);
  bool operator==(const ServerState&) const = default;
};

enum class Fit : uint8_t { no, yes, unknown };  // unknown: it has to be asked
// prefer-standby takes any, and wants to know which it is.
Fit fit(Conninfo::TargetSession wanted, const ServerState& state);

// As the setting has it: "read-write".
std::string_view name_of(Conninfo::TargetSession wanted);
// What it is instead, for messages: "is a standby (target_session_attrs=primary)".
std::string describe_misfit(Conninfo::TargetSession wanted, const ServerState& state);

// Asks a session that is ready what `wanted` needs to know: a Query whose answer is one row of one
// column in text.
//
//     RowDescription DataRow CommandComplete ReadyForQuery
//
// NoticeResponse and ParameterStatus may stand anywhere. An ErrorResponse, and any other message,
// is a failure: the session is closed.
class StateQuery {
 public:
  enum class State : uint8_t { asking, done, failed };

  explicit StateQuery(Conninfo::TargetSession wanted) : wanted_(wanted) {}

  void begin(wire::Buffer& out) const;
  // The next message; what it says is noted in `state`.
  State take(const Message& message, ServerState& state);
  // When failed.
  const std::string& failure() const { return failure_; }

 private:
  bool asks_for_recovery() const;
  State answer(std::string_view row, ServerState& state);
  State fail(std::string why);

  Conninfo::TargetSession wanted_;
  bool answered_ = false;
  std::string failure_;
};

}  // namespace ringpost::proto::pg
