// Invariant: no server is believed but by the one signature that the exchange has; a proof is sent
// for no nonce but one that continues ours; and a prepared password, prepared again, is the same.
// Input: password, server-first and server-final, by line.
#include <cstdlib>
#include <string>

#include "proto/pg/saslprep.h"
#include "proto/pg/scram.h"
#include "proto/wire/base64.h"
#include "tests/support/pg_messages.h"
#include "tests/support/plain_crypto.h"

namespace ringpost {
namespace {

using namespace proto::pg;

void require(bool holds) {
  if (!holds) std::abort();
}

std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

// Whatever the number of iterations, which may be a million.
Digest salted(std::string_view password, std::string_view salt) {
  return tests::plain_hmac_sha256(password, salt);
}

std::string server_signature(std::string_view password, std::string_view server_first,
                             std::string_view client_final) {
  const size_t salt_at = server_first.find(",s=") + 3;
  const auto salt = proto::wire::decode_base64(
      server_first.substr(salt_at, server_first.find(',', salt_at) - salt_at));
  const Digest salted_password = salted(saslprep(password), *salt);
  const Digest key = tests::plain_hmac_sha256(tests::view_of(salted_password), "Server Key");
  const std::string exchange = "n=,r=" + proto::wire::encode_base64(tests::next_random()) + "," +
                               std::string(server_first) + "," +
                               std::string(client_final.substr(0, client_final.rfind(",p=")));
  return proto::wire::encode_base64(
      tests::view_of(tests::plain_hmac_sha256(tests::view_of(key), exchange)));
}

}  // namespace
}  // namespace ringpost

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringpost;
  const tests::Exact input({reinterpret_cast<const char*>(data), size});
  std::string_view rest = input.view();
  const std::string_view password = take_line(rest), server_first = take_line(rest),
                         server_final = take_line(rest);

  const std::string prepared = saslprep(password);
  require(saslprep(prepared) == prepared);
  if (const auto bytes = proto::wire::decode_base64(password))
    require(proto::wire::encode_base64(*bytes) == password);
  require(proto::wire::decode_base64(proto::wire::encode_base64(password)) == password);

  Scram scram(tests::plain_crypto(), password);
  const auto taken = scram.take_first(server_first);
  if (!taken) {
    require(!taken.error().empty());
    return 0;
  }
  const Scram::Salting salting = scram.salting();
  require(salting.iterations != 0 && salting.iterations <= Scram::most_iterations);
  const std::string client_final = scram.respond(salted(salting.password, salting.salt));
  require(server_first.starts_with("r=" + proto::wire::encode_base64(tests::next_random())));
  const std::string signature = server_signature(password, server_first, client_final);
  const bool right =
      server_final == "v=" + signature || server_final.starts_with("v=" + signature + ",");
  require(scram.take_final(server_final).has_value() == right);
  require(scram.take_final("v=" + signature).has_value());
  return 0;
}
