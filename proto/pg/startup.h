// Startup: from StartupMessage to the first ReadyForQuery (PostgreSQL 18 documentation, 54.2.1
// "Start-up").
//
//     state            message                          next
//     authenticating   NegotiateProtocolVersion, once   authenticating
//                      AuthenticationOk                 starting
//                      AuthenticationCleartextPassword  authenticating (AuthenticationOk alone),
//                      AuthenticationMD5Password         sends PasswordMessage
//                      AuthenticationSASL               sasl_first, sends SASLInitialResponse
//     sasl_first       AuthenticationSASLContinue       salting
//     salting          salted() is called               sasl_final, sends SASLResponse
//     sasl_final       AuthenticationSASLFinal          authenticating (AuthenticationOk alone)
//     starting         BackendKeyData, ParameterStatus  starting
//                      ReadyForQuery                    ready
//     any              NoticeResponse                   the same
//     any              ErrorResponse, or any other      failed
//
// Takes messages, appends what to send, has no I/O. What is sent may be a password.
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

// What the way to the server is, before the first message. Views outlive the Startup.
struct Channel {
  std::string_view password;  // for this host
  bool encrypted = false;     // by TLS
  // tls-server-end-point (RFC 5929, 4.1) of the server's certificate; empty where it has none.
  std::string_view end_point = {};
  bool certificate_asked = false, certificate_sent = false;  // of the client, by the server
};

class Startup {
 public:
  enum class State { authenticating, sasl_first, salting, sasl_final, starting, ready, failed };

  // `conninfo` and `crypto` outlive the object.
  Startup(const Conninfo& conninfo, const Crypto& crypto, const Channel& channel)
      : conninfo_(conninfo), crypto_(crypto), channel_(channel) {}

  // Appends StartupMessage.
  void begin(wire::Buffer& out) const;
  // The next message of the server; what it asks for is appended to `out`.
  State take(const Message& message, wire::Buffer& out);
  // When salting: what the salted password is made of, until salted().
  Scram::Salting salting() const { return scram_->salting(); }
  State salted(const Digest& salted_password, wire::Buffer& out);

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
  // By the server, before it let us in: it may let us in by another way, with TLS or without.
  bool refused() const { return refused_; }

 private:
  State negotiate(std::string_view body);
  State authentication(std::string_view body, wire::Buffer& out);
  State request(Authentication code, std::string_view data, wire::Buffer& out);
  State authenticated();
  State cleartext_password(wire::Buffer& out);
  State md5_password(std::string_view salt, wire::Buffer& out);
  State sasl(std::string_view mechanisms, wire::Buffer& out);
  State begin_scram(bool bound, wire::Buffer& out);
  State backend_key(std::string_view body);
  State parameter(std::string_view body);
  // Why no password may be sent, if so: what require_auth, channel_binding or its absence say.
  std::optional<std::string> objection(Conninfo::AuthMethod method, const char* what) const;
  bool allowed(Conninfo::AuthMethod method) const;
  State fail(std::string why);
  State misplaced(const Message& message);

  const Conninfo& conninfo_;
  const Crypto& crypto_;
  Channel channel_;
  State state_ = State::authenticating;
  bool answered_ = false;  // the server's request: there is no second one
  std::optional<Conninfo::ProtocolVersion> negotiated_;
  std::optional<Scram> scram_;
  bool verified_ = false;  // the server has proved that it knows the password
  std::string server_version_;
  BackendKeyData cancel_key_;
  std::optional<ErrorResponse> server_error_;
  bool refused_ = false;
  std::string failure_;
};

}  // namespace ringpost::proto::pg
