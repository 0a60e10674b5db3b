#include "proto/pg/startup.h"

#include <utility>
#include <vector>

#include "proto/pg/frontend.h"
#include "proto/wire/wipe.h"

namespace ringpost::proto::pg {

namespace {

const char* method_name(Authentication code) {
  switch (code) {
    case Authentication::KerberosV5:
      return "Kerberos V5";
    case Authentication::GSS:
      return "GSSAPI";
    case Authentication::SSPI:
      return "SSPI";
    default:
      return "an unknown method";
  }
}

constexpr const char* state_names[] = {"authentication",
                                       "the SCRAM exchange",
                                       "the middle of the SCRAM exchange",
                                       "the end of the SCRAM exchange",
                                       "start-up",
                                       "ready",
                                       "failed"};

std::string hex(const Md5Digest& digest) {
  std::string text;
  for (const uint8_t byte : digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

// "3.2", of a start-up message's 0x30002.
std::string version_text(uint32_t version) {
  return std::to_string(version >> 16) + "." + std::to_string(version & 0xffff);
}
std::string version_text(Conninfo::ProtocolVersion version) {
  return version_text(static_cast<uint32_t>(version));
}

// What is to be done about an error, where it does not say so itself.
const char* advice(const ErrorResponse& error) {
  // PgBouncer takes few parameters, and refuses the session for any other.
  if (error.message.starts_with("unsupported startup parameter"))
    return "; a pooler between takes no such parameter: leave it out of the connection string "
           "(options, say) and the PG* variables, or name it in the pooler's "
           "ignore_startup_parameters";
  return "";
}

}  // namespace

void Startup::begin(wire::Buffer& out) const {
  std::vector<std::pair<std::string_view, std::string_view>> parameters{
      {"user", conninfo_.user}, {"database", conninfo_.dbname}, {"client_encoding", "UTF8"}};
  if (!conninfo_.application_name.empty())
    parameters.emplace_back("application_name", conninfo_.application_name);
  if (!conninfo_.options.empty()) parameters.emplace_back("options", conninfo_.options);
  for (const auto& [name, value] : conninfo_.parameters) parameters.emplace_back(name, value);
  encode_startup(out, static_cast<uint32_t>(conninfo_.max_protocol_version), parameters);
}

Startup::State Startup::fail(std::string why) {
  failure_ = std::move(why);
  return state_ = State::failed;
}

Startup::State Startup::misplaced(const Message& message) {
  return fail(message_name(message.type) + " has no place in " +
              state_names[static_cast<size_t>(state_)]);
}

Startup::State Startup::take(const Message& message, wire::Buffer& out) {
  switch (message.type) {
    case BackendMessage::ErrorResponse:
      server_error_ = decode_error(message.body);
      refused_ = state_ < State::starting;
      return fail(server_error_->text() + advice(*server_error_));
    case BackendMessage::NoticeResponse:
      return state_;
    case BackendMessage::NegotiateProtocolVersion:
      if (state_ != State::authenticating || answered_ || negotiated_) return misplaced(message);
      return negotiate(message.body);
    case BackendMessage::AuthenticationRequest:
      if (state_ == State::starting) return misplaced(message);
      return authentication(message.body, out);
    default:
      break;
  }
  if (state_ != State::starting) return misplaced(message);
  switch (message.type) {
    case BackendMessage::BackendKeyData:
      return backend_key(message.body);
    case BackendMessage::ParameterStatus:
      return parameter(message.body);
    case BackendMessage::ReadyForQuery:
      if (message.body != "I") return fail("the session begins inside a transaction");
      return state_ = State::ready;
    default:
      return misplaced(message);
  }
}

// As libpq judges it. No option was asked for, so there is none that the server can have missed.
Startup::State Startup::negotiate(std::string_view body) {
  using Version = Conninfo::ProtocolVersion;
  const auto answer = decode_negotiate_protocol_version(body);
  if (!answer) return fail("NegotiateProtocolVersion is malformed");
  const auto version = Version{answer->version};
  const std::string asks = "the server asks for protocol " + version_text(version);
  if (version > conninfo_.max_protocol_version)
    return fail(asks + ", which is newer than the " + version_text(conninfo_.max_protocol_version) +
                " that it was offered");
  if (version < Version::v3_0) return fail(asks + ", which is older than 3.0");
  if (version != Version::v3_0 && version != Version::v3_2)
    return fail(asks + ", which does not exist");
  if (!answer->unknown_options.empty())
    return fail("the server does not know the protocol option " +
                std::string(answer->unknown_options.front()) + ", which was not asked for");
  if (version == conninfo_.max_protocol_version)
    return fail("the server negotiates the protocol, and asks for no change");
  if (version < conninfo_.min_protocol_version)
    return fail("the server speaks protocol " + version_text(version) +
                " at most, and min_protocol_version is " +
                version_text(conninfo_.min_protocol_version));
  negotiated_ = version;
  return state_;
}

bool Startup::allowed(Conninfo::AuthMethod method) const {
  return conninfo_.require_auth.test(static_cast<size_t>(method));
}

std::optional<std::string> Startup::objection(Conninfo::AuthMethod method, const char* what) const {
  using Binding = Conninfo::ChannelBinding;
  if (!allowed(method))
    return std::string("the server asks for ") + what + ", which require_auth does not allow";
  if (method != Conninfo::AuthMethod::scram_sha_256 &&
      conninfo_.channel_binding == Binding::require)
    return std::string("the server asks for ") + what +
           ", which channel_binding=require does not allow";
  if (channel_.password.empty())
    return "the server asks for a password and none is set: put it into DATABASE_URL, or set "
           "PGPASSWORD";
  return std::nullopt;
}

Startup::State Startup::authentication(std::string_view body, wire::Buffer& out) {
  wire::Reader reader(body);
  const auto code = Authentication{reader.integer<int32_t>()};
  if (!reader.ok()) return fail("AuthenticationRequest is malformed");
  const std::string_view data = reader.bytes(reader.remaining());
  if (state_ == State::authenticating && code == Authentication::Ok) return authenticated();
  if (state_ == State::authenticating && !answered_ && code != Authentication::SASLContinue &&
      code != Authentication::SASLFinal)
    return request(code, data, out);
  if (state_ == State::sasl_first && code == Authentication::SASLContinue) {
    if (auto taken = scram_->take_first(data); !taken) return fail(std::move(taken.error()));
    return state_ = State::salting;
  }
  if (state_ == State::sasl_final && code == Authentication::SASLFinal) {
    if (auto verified = scram_->take_final(data); !verified)
      return fail(std::move(verified.error()));
    verified_ = true;
    return state_ = State::authenticating;
  }
  return fail("AuthenticationRequest " + std::to_string(static_cast<int32_t>(code)) +
              " has no place in " + state_names[static_cast<size_t>(state_)]);
}

Startup::State Startup::request(Authentication code, std::string_view data, wire::Buffer& out) {
  switch (code) {
    case Authentication::CleartextPassword:
      return cleartext_password(out);
    case Authentication::MD5Password:
      return md5_password(data, out);
    case Authentication::SASL:
      return sasl(data, out);
    default:
      return fail(std::string("the server asks for ") + method_name(code) +
                  ", which is not supported: give this role scram-sha-256 in pg_hba.conf, or cert, "
                  "or trust");
  }
}

// The server is content; what this side asks for has to be true too.
Startup::State Startup::authenticated() {
  if (scram_ && !verified_)
    return fail(
        "the server ends the SCRAM exchange before it has proved that it knows the password");
  if (!answered_ && !allowed(Conninfo::AuthMethod::none))
    return fail("the server asks for no authentication, which require_auth does not allow");
  if (conninfo_.channel_binding == Conninfo::ChannelBinding::require &&
      !(scram_ && scram_->bound()))
    return fail(
        "the server lets us in without SCRAM-SHA-256-PLUS, which channel_binding=require does not "
        "allow");
  if (conninfo_.ssl.certmode == Conninfo::Ssl::CertMode::require) {
    if (!channel_.certificate_asked)
      return fail("the server asks for no client certificate, which sslcertmode=require wants");
    if (!channel_.certificate_sent)
      return fail(
          "the server does without a client certificate, which sslcertmode=require wants: name one "
          "by sslcert and sslkey");
  }
  return state_ = State::starting;
}

Startup::State Startup::cleartext_password(wire::Buffer& out) {
  if (auto why = objection(Conninfo::AuthMethod::password, "a password in clear text"))
    return fail(std::move(*why));
  encode_password(out, channel_.password);
  answered_ = true;
  return state_;
}

// "md5" and the hexadecimal MD5 of (the hexadecimal MD5 of password and user, and the salt).
Startup::State Startup::md5_password(std::string_view salt, wire::Buffer& out) {
  if (salt.size() != 4) return fail("AuthenticationMD5Password is malformed");
  if (auto why = objection(Conninfo::AuthMethod::md5, "an MD5 password"))
    return fail(std::move(*why));
  std::string secret(channel_.password);
  secret.append(conninfo_.user);
  const auto inner = crypto_.md5(secret);
  wire::wipe(secret);
  if (inner) secret = hex(*inner).append(salt);
  const auto outer = inner ? crypto_.md5(secret) : inner;
  wire::wipe(secret);
  if (!outer)
    return fail(
        "the server asks for an MD5 password, and OpenSSL has no MD5 here: give this role "
        "scram-sha-256 in pg_hba.conf, and its password anew with "
        "password_encryption = 'scram-sha-256'");
  encode_password(out, "md5" + hex(*outer));
  answered_ = true;
  return state_;
}

// The mechanisms are strings, ended by an empty one.
Startup::State Startup::sasl(std::string_view mechanisms, wire::Buffer& out) {
  wire::Reader reader(mechanisms);
  bool unbound = false, bound = false;
  std::string names;
  for (std::string_view name; reader.ok() && !(name = reader.string()).empty();) {
    unbound |= name == Scram::unbound_mechanism;
    bound |= name == Scram::bound_mechanism;
    names.append(names.empty() ? "" : ", ").append(name);
  }
  if (!reader.finished()) return fail("AuthenticationSASL is malformed");
  using Binding = Conninfo::ChannelBinding;
  if (conninfo_.channel_binding == Binding::require && !channel_.encrypted)
    return fail("channel_binding=require needs TLS, and this connection has none");
  // A server binds to TLS alone, so it takes this connection for one by TLS.
  if (bound && !channel_.encrypted)
    return fail(
        "the server offers SCRAM-SHA-256-PLUS, which needs TLS, and this connection has none: "
        "something between may have taken it away");
  const bool binds = bound && conninfo_.channel_binding != Binding::disable;
  if (conninfo_.channel_binding == Binding::require && !binds)
    return fail("the server offers " + names +
                " for authentication; channel_binding=require wants SCRAM-SHA-256-PLUS");
  if (!binds && !unbound)
    return fail(
        "the server offers " + names + " for authentication; only SCRAM-SHA-256 " +
        (bound ? "is allowed by channel_binding=disable" : "and SCRAM-SHA-256-PLUS are supported"));
  return begin_scram(binds, out);
}

Startup::State Startup::begin_scram(bool bound, wire::Buffer& out) {
  if (auto why = objection(Conninfo::AuthMethod::scram_sha_256, "SCRAM-SHA-256"))
    return fail(std::move(*why));
  // Not to go on without: who stands between could have given a certificate of this kind.
  if (bound && channel_.end_point.empty())
    return fail(
        "the server's certificate is signed by an algorithm that channel binding has no hash for; "
        "set channel_binding=disable, or give the server another");
  const bool could =
      channel_.encrypted && conninfo_.channel_binding != Conninfo::ChannelBinding::disable;
  const auto unbound = could ? Scram::Binding::not_offered : Scram::Binding::none;
  scram_.emplace(crypto_, channel_.password, bound ? Scram::Binding::bound : unbound,
                 channel_.end_point);
  encode_sasl_initial_response(out, scram_->mechanism(), scram_->first_message());
  answered_ = true;
  return state_ = State::sasl_first;
}

Startup::State Startup::salted(const Digest& salted_password, wire::Buffer& out) {
  encode_sasl_response(out, scram_->respond(salted_password));
  return state_ = State::sasl_final;
}

// Protocol 3.0 has keys of four bytes, and one of another length is no key that could cancel.
Startup::State Startup::backend_key(std::string_view body) {
  auto key = decode_backend_key_data(body);
  if (!key) return fail("BackendKeyData is malformed");
  if (protocol_version() == Conninfo::ProtocolVersion::v3_0 && key->secret_key.size() != 4)
    return fail("BackendKeyData has a key of " + std::to_string(key->secret_key.size()) +
                " bytes, and protocol 3.0 has keys of 4");
  cancel_key_ = std::move(*key);
  return state_;
}

Startup::State Startup::parameter(std::string_view body) {
  const auto status = decode_parameter_status(body);
  if (!status) return fail("ParameterStatus is malformed");
  if (status->name == "server_version") server_version_ = status->value;
  // Off only in servers before PostgreSQL 10: timestamps would come as floating-point numbers.
  if (status->name == "integer_datetimes" && status->value != "on")
    return fail("the server's integer_datetimes is off");
  if (status->name == "client_encoding" && status->value != "UTF8")
    return fail("the server does not talk UTF8 but " + std::string(status->value));
  return state_;
}

}  // namespace ringpost::proto::pg
