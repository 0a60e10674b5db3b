#include "proto/pg/scram.h"

#include <algorithm>
#include <charconv>

#include "proto/pg/saslprep.h"
#include "proto/wire/base64.h"
#include "proto/wire/wipe.h"

namespace ringpost::proto::pg {

namespace {

using Outcome = std::expected<void, std::string>;

constexpr size_t nonce_bytes = 18;

std::string_view view(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// The attribute `name` at the front of `message`, "name=value[,...]", which moves on behind it.
std::optional<std::string_view> take_attribute(std::string_view& message, char name) {
  if (message.size() < 2 || message[0] != name || message[1] != '=') return std::nullopt;
  const size_t comma = std::min(message.find(','), message.size());
  const std::string_view value = message.substr(2, comma - 2);
  message.remove_prefix(std::min(comma + 1, message.size()));
  return value;
}

}  // namespace

Scram::Scram(const Crypto& crypto, std::string_view password, Binding binding,
             std::string_view end_point)
    : crypto_(crypto),
      password_(saslprep(password)),
      binding_(binding),
      end_point_(end_point),
      nonce_(wire::encode_base64(crypto.random_bytes(nonce_bytes))) {
  // PostgreSQL takes the user's name from StartupMessage and ignores the one here.
  client_first_bare_ = "n=,r=" + nonce_;
}

Scram::~Scram() {
  wire::wipe(password_);
  wire::wipe(salted_password_.data(), salted_password_.size());
}

// There is no authorization identity.
std::string Scram::gs2_header() const {
  return bound() ? "p=tls-server-end-point,," : std::string(1, static_cast<char>(binding_)) + ",,";
}

std::string Scram::first_message() const {
  return gs2_header() + client_first_bare_;
}

Outcome Scram::take_first(std::string_view server_first) {
  std::string_view rest = server_first;
  if (rest.starts_with("m="))
    return std::unexpected("the server asks for a SCRAM extension that is unknown");
  const auto nonce = take_attribute(rest, 'r'), salt_text = take_attribute(rest, 's'),
             rounds_text = take_attribute(rest, 'i');
  if (!nonce || !salt_text || !rounds_text)
    return std::unexpected("the server's first SCRAM message is malformed");
  if (!nonce->starts_with(nonce_) || nonce->size() == nonce_.size())
    return std::unexpected("the server's SCRAM nonce does not continue ours");
  auto salt = wire::decode_base64(*salt_text);
  if (!salt || salt->empty()) return std::unexpected("the server's SCRAM salt is malformed");
  uint32_t rounds = 0;
  const auto [end, error] =
      std::from_chars(rounds_text->data(), rounds_text->data() + rounds_text->size(), rounds);
  if (error != std::errc() || end != rounds_text->data() + rounds_text->size() || rounds == 0)
    return std::unexpected("the server's SCRAM iteration count is malformed");
  if (rounds > most_iterations)
    return std::unexpected("the server asks for " + std::to_string(rounds) +
                           " SCRAM iterations, more than " + std::to_string(most_iterations));
  nonce_ = *nonce;
  salt_ = std::move(*salt);
  iterations_ = rounds;
  server_first_ = server_first;
  return {};
}

std::string Scram::respond(const Digest& salted_password) {
  salted_password_ = salted_password;
  wire::wipe(password_);
  Digest client_key = crypto_.hmac_sha256(view(salted_password_), "Client Key");
  const Digest stored_key = crypto_.sha256(view(client_key));
  const std::string bound_to = gs2_header() + (bound() ? end_point_ : "");
  const std::string without_proof = "c=" + wire::encode_base64(bound_to) + ",r=" + nonce_;
  auth_message_ = client_first_bare_ + "," + server_first_ + "," + without_proof;
  const Digest signature = crypto_.hmac_sha256(view(stored_key), auth_message_);
  Digest proof;
  for (size_t i = 0; i < proof.size(); ++i) proof[i] = client_key[i] ^ signature[i];
  wire::wipe(client_key.data(), client_key.size());
  return without_proof + ",p=" + wire::encode_base64(view(proof));
}

Outcome Scram::take_final(std::string_view server_final) {
  std::string_view rest = server_final;
  if (const auto error = take_attribute(rest, 'e'))
    return std::unexpected("the server refuses the SCRAM exchange: " + std::string(*error));
  const auto verifier = take_attribute(rest, 'v');
  const auto signature = verifier ? wire::decode_base64(*verifier) : std::nullopt;
  if (!signature) return std::unexpected("the server's last SCRAM message is malformed");
  const Digest server_key = crypto_.hmac_sha256(view(salted_password_), "Server Key");
  const Digest expected = crypto_.hmac_sha256(view(server_key), auth_message_);
  if (!crypto_.equal(*signature, view(expected)))
    return std::unexpected("the server's SCRAM signature is wrong: it does not know this password");
  return {};
}

}  // namespace ringpost::proto::pg
