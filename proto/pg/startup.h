// Startup: from StartupMessage to the first ReadyForQuery (PostgreSQL 18 documentation, 54.2.1
// "Start-up").
//
//     state            message                          next
//     authenticating   NegotiateProtocolVersion, once   authenticating
//                      AuthenticationOk                 starting
//                      AuthenticationSASL               sasl_first, sends SASLInitialResponse
//     sasl_first       AuthenticationSASLContinue       sasl_final, sends SASLResponse
//     sasl_final       AuthenticationSASLFinal          authenticating (AuthenticationOk alone)
//     starting         BackendKeyData, ParameterStatus  starting
//                      ReadyForQuery                    ready
//     any              NoticeResponse                   the same
//     any              ErrorResponse, or any other      failed
//
// Takes messages, appends what to send, has no I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proto/pg/backend.h"
#include "proto/pg/conninfo.h"
#include "proto/pg/error.h"
#include "proto/pg/scram.h"
#include "proto/wire/buffer.h"

namespace ringpost::proto::pg {

class Startup {
 public:
  enum class State { authenticating, sasl_first, sasl_final, starting, ready, failed };

  // Both outlive the object.
  Startup(const Conninfo& conninfo, const Crypto& crypto) : conninfo_(conninfo), crypto_(crypto) {}

  // Appends StartupMessage.
  void begin(wire::Buffer& out) const;
  // The next message of the server; what it asks for is appended to `out`.
  State take(const Message& message, wire::Buffer& out);

  // When ready.
  const std::string& server_version() const { return server_version_; }
  const BackendKeyData& cancel_key() const { return cancel_key_; }
  // That of the session: the one that was asked for, or what the server made of it.
  Conninfo::ProtocolVersion protocol_version() const {
    return negotiated_.value_or(conninfo_.max_protocol_version);
  }

  // When failed: the server's own error, or else what this side found wrong.
  const std::optional<ErrorResponse>& server_error() const { return server_error_; }
  const std::string& failure() const { return failure_; }

 private:
  State negotiate(std::string_view body);
  State authentication(std::string_view body, wire::Buffer& out);
  bool allowed(Conninfo::AuthMethod method) const;
  State sasl(std::string_view mechanisms, wire::Buffer& out);
  State backend_key(std::string_view body);
  State parameter(std::string_view body);
  State fail(std::string why);
  State misplaced(const Message& message);

  const Conninfo& conninfo_;
  const Crypto& crypto_;
  State state_ = State::authenticating;
  std::optional<Conninfo::ProtocolVersion> negotiated_;
  std::optional<Scram> scram_;
  bool verified_ = false;  // the server has proved that it knows the password
  std::string server_version_;
  BackendKeyData cancel_key_;
  std::optional<ErrorResponse> server_error_;
  std::string failure_;
};

}  // namespace ringpost::proto::pg
